/**
 * Scans on their way to the server: one upload in flight, in their own order, each with one id for ever.
 *
 * Pure: the network, the clock and waiting are handed in, so that `node --test` can play a bad evening in milliseconds.
 * An outcome is final only when the server said so; until then the same scan with the same id is sent again.
 */

/** Scans that may wait; a phone that holds more needs a person's look, not more memory. */
export const LIMIT = 200;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;

/** What became of one try, from fetch's answer. `kind`: done, refused, again, signin. */
export function outcome(status, body, retryAfter) {
  if (status === 200) return { kind: "done", answer: body };
  if (status === 401) return { kind: "signin" };
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number.parseFloat(retryAfter);
    return { kind: "again", why: "busy", waitMs: Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : 0 };
  }
  return { kind: "refused", problem: { status, code: body?.code ?? "unexpected", title: body?.title ?? "" } };
}

export class Queue {
  /**
   * post(item) -> Promise<outcome>, rejects when nothing was heard from the server.
   * now() -> monotonic milliseconds; later(ms, work) -> cancel(); tell(event, item, extra) is called on every change:
   * sending, done, refused, unsent, busy, signin. keep(items) stores what waits, for a page that is loaded again.
   */
  constructor({ post, now, later, tell, keep = () => {} }) {
    this.post = post;
    this.now = now;
    this.later = later;
    this.tell = tell;
    this.keep = keep;
    this.items = [];
    this.tries = 0;
    this.isSending = false;
    this.isSignedOut = false;
    this.cancel = null;
    /** Why nothing gets through just now: unsent, busy, signin, or "". */
    this.trouble = "";
  }

  get length() {
    return this.items.length;
  }

  /** A scan that still waits. */
  find(matches) {
    return this.items.find(matches);
  }

  /** Takes a scan, or false when too many wait. */
  add(scan) {
    if (this.items.length >= LIMIT) return false;
    this.items.push({ ...scan, seenAt: this.now() });
    this.#changed();
    this.#send();
    return true;
  }

  /** What an earlier page left; each comes with the age that it had then and gets no younger. */
  restore(kept, awayMs = 0) {
    const age = (item) => Math.max(0, item.ageMs || 0) + Math.max(0, awayMs);
    this.items.unshift(...kept.slice(0, LIMIT).map((item) => ({ ...item, seenAt: this.now() - age(item) })));
    this.#changed();
    this.#send();
  }

  /** Somebody asked, the network is back, or the sign-in was renewed: try now. */
  retry() {
    this.isSignedOut = false;
    this.tries = 0;
    this.cancel?.();
    this.cancel = null;
    this.#send();
  }

  /** Milliseconds since the code was read, for the server, which trusts no clock of ours. */
  age(item) {
    return Math.round(this.now() - item.seenAt);
  }

  #changed() {
    this.keep(this.items.map(({ seenAt, ...item }) => ({ ...item, ageMs: Math.round(this.now() - seenAt) })));
  }

  async #send() {
    if (this.isSending || this.cancel || this.isSignedOut || !this.items.length) return;
    const item = this.items[0];
    this.isSending = true;
    this.tell("sending", item);
    let result;
    try {
      result = await this.post(item);
    } catch {
      result = { kind: "again", why: "unsent", waitMs: 0 };
    }
    this.isSending = false;
    if (result.kind === "done" || result.kind === "refused") {
      this.items = this.items.filter((other) => other !== item);
      this.tries = 0;
      this.trouble = "";
      this.#changed();
      this.tell(result.kind, item, result.answer ?? result.problem);
      this.#send();
    } else if (result.kind === "signin") {
      this.isSignedOut = true;
      this.trouble = "signin";
      this.tell("signin", item);
    } else {
      const wait = Math.max(result.waitMs, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries));
      this.tries += 1;
      this.trouble = result.why;
      this.cancel = this.later(wait, () => {
        this.cancel = null;
        this.#send();
      });
      this.tell(result.why, item);
    }
  }
}

/**
 * The same code on the same device within five seconds repeats its verdict and makes no scan. Each sight of it starts
 * the five seconds anew, so that a phone held before the camera is one scan however long it is held.
 */
export class Repeats {
  constructor({ now, withinMs = 5000, gapMs = 1000 }) {
    this.now = now;
    this.withinMs = withinMs;
    this.gapMs = gapMs;
    this.seen = new Map();
  }

  /** null: new, make a scan. Otherwise {id, isBack}: the scan it repeats, and whether it had left the camera's view. */
  look(key) {
    const at = this.now();
    for (const [other, entry] of this.seen) if (at - entry.at >= this.withinMs) this.seen.delete(other);
    const found = this.seen.get(key);
    if (!found) return null;
    const isBack = at - found.at >= this.gapMs;
    found.at = at;
    return { id: found.id, isBack };
  }

  remember(key, id) {
    this.seen.set(key, { id, at: this.now() });
  }
}

/** A random UUID (version 4). crypto.randomUUID is missing on insecure origins, where keyboards still scan. */
export function newId(crypto = globalThis.crypto) {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
