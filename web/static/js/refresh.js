// A part of the page that is asked for again while somebody looks: <div data-refresh="15">, seconds. Without this module
// the page shows how it stood when it was loaded.

const part = document.querySelector("[data-refresh]");
const everyMs = Number(part?.dataset.refresh) * 1000;

/** Somebody's hand is in it: what they type would be lost. */
const isUsed = () =>
  part.contains(document.activeElement) ||
  [...part.querySelectorAll("input, textarea")].some((field) => field.value !== field.defaultValue);

async function again() {
  if (document.hidden || isUsed()) return;
  const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  if (!response.ok || response.redirected) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-refresh]");
  if (fresh && !isUsed() && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
}

if (everyMs) {
  setInterval(() => again().catch(() => {}), everyMs);
  document.addEventListener("visibilitychange", () => again().catch(() => {}));
}
