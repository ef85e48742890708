/**
 * The snapshot's lines: where a code's line lies and what opens it come from the code itself (checkin/snapshot_rules.py),
 * so this phone can read of those who stood before it, and of nobody else.
 */

const LOOKUP_LABEL = "huiwu lookup v1";
const LINE_LABEL = "huiwu line v1";
const NONCE_BYTES = 12;
/** Before a lookup id it makes a code that scans are sent with. */
export const MARK = "~";

const bytes = (text) => new TextEncoder().encode(text);

export function toText(raw) {
  let text = "";
  for (const byte of new Uint8Array(raw)) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

export function fromText(text) {
  const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(raw, (char) => char.charCodeAt(0));
}

export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** {lookup, key} of a code as it is stored; `salt` are the event's bytes, `key` is raw. */
export async function secretsOf(code, salt, subtle = globalThis.crypto.subtle) {
  const source = await subtle.importKey("raw", bytes(code), "HKDF", false, ["deriveBits"]);
  const derived = (label, length) =>
    subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: bytes(label) }, source, length * 8);
  const [lookup, key] = await Promise.all([derived(LOOKUP_LABEL, 16), derived(LINE_LABEL, 32)]);
  return { lookup: toText(lookup), key: new Uint8Array(key) };
}

/** What a line says. Rejects for another key, another place, or bytes that were changed. */
export async function unseal({ lookup, key }, sealed, subtle = globalThis.crypto.subtle) {
  const raw = fromText(sealed);
  const opener = await subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const plain = await subtle.decrypt(
    { name: "AES-GCM", iv: raw.slice(0, NONCE_BYTES), additionalData: bytes(lookup) },
    opener,
    raw.slice(NONCE_BYTES),
  );
  return JSON.parse(new TextDecoder().decode(plain));
}

/** SHA-256 over a page of lines, as the server counted it: a page that was cut or changed comes to another. */
export async function pageDigest(lines, subtle = globalThis.crypto.subtle) {
  const whole = lines.map(([lookup, sealed]) => `${lookup} ${sealed}\n`).join("");
  const digest = await subtle.digest("SHA-256", bytes(whole));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
