/** What a camera or a keyboard gave, and every code that it may stand for: `read_code` (checkin/rules.py) again. Pure. */

const CODE_MAX = 500;
const ALIAS_MAX = 200;
/** Eight characters with a separator between any two. */
const TYPED_MAX = 16;
const SHORT_LENGTH = 8;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TOKEN = /^[0-9a-f]{32}$/;
// What Python calls space, and JavaScript does not: separators among the control characters, and NEL.
const EDGES = /^[\s\x1c-\x1f\x85]+|[\s\x1c-\x1f\x85]+$/g;

/** A short code as people type it, folded, or null when its check character says that it is mistyped. */
export function readShortCode(typed) {
  const folded = typed
    .toUpperCase()
    .replace(/[ \-‐‑　_]/g, "")
    .replace(/[IL]/g, "1")
    .replace(/O/g, "0");
  if (folded.length !== SHORT_LENGTH || [...folded].some((char) => !ALPHABET.includes(char))) return null;
  const total = [...folded.slice(0, -1)].reduce((sum, char, index) => sum + (index + 1) * ALPHABET.indexOf(char), 0);
  return ALPHABET[total % 31] === folded[SHORT_LENGTH - 1] ? folded : null;
}

/** {candidates, reading: ok|malformed|mistyped}: the codes that it may be, the surest first. */
export function readCode(raw) {
  const text = raw.replace(EDGES, "");
  if (!text || text.length > CODE_MAX || /[\x00-\x1f\x7f]/.test(text)) return { candidates: [], reading: "malformed" };
  const bare = text.toLowerCase();
  if (TOKEN.test(bare)) return { candidates: [bare], reading: "ok" };
  if (text.includes("token=")) {
    const query = text.split("#")[0].split("?").slice(1).join("?");
    const given = (new URLSearchParams(query).getAll("token").find(Boolean) ?? "").trim().toLowerCase();
    if (TOKEN.test(given)) return { candidates: [given], reading: "ok" };
  }
  const short = text.length <= TYPED_MAX ? readShortCode(text) : null;
  const candidates = short ? [short] : [];
  if (text.length <= ALIAS_MAX && text !== short) candidates.push(text);
  if (!candidates.length) return { candidates, reading: "malformed" };
  const looksTyped = /^[0-9A-Z]{8}$/.test(text.toUpperCase().replace(/[ -]/g, ""));
  return { candidates, reading: looksTyped && !short ? "mistyped" : "ok" };
}
