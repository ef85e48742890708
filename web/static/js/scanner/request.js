/** JSON to the server and back, for what is asked beside the scan: a short patience, and one shape for every outcome. */

const PATIENCE_MS = 8000;

/**
 * `{ok, status, body}`; `status` is 0 when nothing was heard from our server. Never rejects: whoever asks says so on the
 * screen and offers to send it again, under the same id.
 */
export async function request(fetcher, url, body, headers = {}) {
  try {
    const response = await fetcher(url, {
      method: body === undefined ? "GET" : "POST",
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout?.(PATIENCE_MS),
    });
    const isJson = (response.headers.get("content-type") ?? "").includes("json");
    const found = isJson ? await response.json().catch(() => null) : null;
    // A venue's sign-in page answers 200 in HTML.
    if (response.status === 200 && found === null) return { ok: false, status: 0, body: null, headers: response.headers };
    return { ok: response.ok, status: response.status, body: found, headers: response.headers };
  } catch {
    return { ok: false, status: 0, body: null, headers: new Headers() };
  }
}

/** An element with its class, text and children. */
export function make(tag, { className = "", text = "", ...more } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), more);
  if (className) element.className = className;
  if (text) element.textContent = text;
  element.append(...children.filter(Boolean));
  return element;
}
