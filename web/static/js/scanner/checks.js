/**
 * What a phone can, tried before anything is spent. Nothing here asks for a permission: the camera is only looked for,
 * and tried by `tryCamera` after somebody's tap. Pure but for the environment that is handed in, for `node --test`.
 */

/** Fewer free bytes than this hold no snapshot of a large event. */
const ROOM_BYTES = 5 * 1024 * 1024;
/** A private window may let a request hang for ever. */
const PATIENCE_MS = 4000;

const within = (ms, work) =>
  Promise.race([work, new Promise((_, failed) => setTimeout(() => failed(new Error("took too long")), ms))]);

export function environment(from = globalThis) {
  return {
    isSecure: from.isSecureContext === true,
    mediaDevices: from.navigator?.mediaDevices,
    serviceWorker: from.navigator?.serviceWorker,
    estimate: from.navigator?.storage?.estimate?.bind(from.navigator.storage),
    subtle: from.crypto?.subtle,
  };
}

/** Each check by name, true where it is in order. `store` is the database module: {put, get, remove}. */
export async function run(env, store, patienceMs = PATIENCE_MS) {
  const [serviceWorker, storage] = await Promise.all([
    hasServiceWorker(env, patienceMs),
    canStore(env, store, patienceMs),
  ]);
  return {
    secure: env.isSecure && Boolean(env.subtle),
    camera: typeof env.mediaDevices?.getUserMedia === "function",
    service_worker: serviceWorker,
    storage,
  };
}

async function hasServiceWorker(env, patienceMs) {
  if (!env.isSecure || !env.serviceWorker) return false;
  try {
    // Private windows have the interface, and throw when it is used.
    await within(patienceMs, env.serviceWorker.getRegistration());
    return true;
  } catch {
    return false;
  }
}

async function canStore(env, store, patienceMs) {
  const mark = `${Math.random()}`;
  try {
    await within(patienceMs, store.put("meta", "probe", mark));
    const found = await within(patienceMs, store.get("meta", "probe"));
    await within(patienceMs, store.remove("meta", "probe"));
    if (found !== mark) return false;
  } catch {
    return false;
  }
  try {
    const { quota, usage } = await within(patienceMs, env.estimate());
    return !(quota - usage < ROOM_BYTES);
  } catch {
    return true; // not every browser tells
  }
}

/** Asks for the camera: only after a tap. Gives "", or why not: denied, none, in_use. */
export async function tryCamera(mediaDevices) {
  try {
    const stream = await mediaDevices.getUserMedia({ audio: false, video: { facingMode: { ideal: "environment" } } });
    for (const track of stream.getTracks()) track.stop();
    return "";
  } catch (error) {
    return { NotAllowedError: "denied", NotFoundError: "none" }[error?.name] ?? "in_use";
  }
}

/** The family of the browser by what it has, never by its name: enough for a lead to know what to ask for. */
export function features(from = globalThis) {
  const has = {
    "in-app": "WeixinJSBridge" in from || "__wxjs_environment" in from,
    chromium: Boolean(from.navigator?.userAgentData),
    webkit: "GestureEvent" in from || "webkitConvertPointFromNodeToPage" in from,
    gecko: "mozInnerScreenX" in from,
    touch: (from.navigator?.maxTouchPoints ?? 0) > 0,
    installed: Boolean(from.matchMedia?.("(display-mode: standalone)").matches || from.navigator?.standalone),
    barcodes: "BarcodeDetector" in from,
  };
  return Object.keys(has)
    .filter((name) => has[name])
    .join(" ");
}

const SECRET = /^[A-Za-z0-9_-]{22}$/;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A short code as people type it, folded, or null when its check character says that it is mistyped. */
export function readShortCode(typed) {
  const folded = typed
    .toUpperCase()
    .replace(/[\s\-‐‑_]/g, "")
    .replace(/[IL]/g, "1")
    .replace(/O/g, "0");
  if (folded.length !== 8 || [...folded].some((char) => !ALPHABET.includes(char))) return null;
  const total = [...folded.slice(0, 7)].reduce((sum, char, index) => sum + (index + 1) * ALPHABET.indexOf(char), 0);
  return ALPHABET[total % 31] === folded[7] ? folded : null;
}

/**
 * What stands behind a #, in a scanned address, or was typed: {code, short}, `code` to be sent and `short` for eyes
 * (may be ""); null for anything else. An address of another place than `path` is none of ours.
 */
export function readPairingCode(text, path = null) {
  const whole = text.trim();
  const at = whole.indexOf("#");
  if (at > 0 && path !== null && !whole.slice(0, at).endsWith(path)) return null;
  const [secret, short = ""] = whole.slice(at + 1).split(".");
  if (SECRET.test(secret)) return { code: `${secret}.${short}`, short: readShortCode(short) ?? "" };
  const typed = readShortCode(whole.slice(at + 1));
  return typed ? { code: typed, short: typed } : null;
}

/** A short code in two groups, for reading aloud. */
export const spoken = (code) => `${code.slice(0, 4)}-${code.slice(4)}`;
