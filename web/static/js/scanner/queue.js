/**
 * Scans on their way to the server: one upload in flight, in their own order, each with one id for ever.
 *
 * What waits is kept on the phone through a reload, a crash and an empty battery, until the server has said what became
 * of it: an outcome is final only by its word; until then the same scan with the same id is sent again. Pure: the
 * network, the clock, waiting and the shelf are handed in, so that `node --test` can play a bad evening in milliseconds.
 */

/** Scans that may wait where they are kept for good; a phone that holds more needs a person's look. */
export const LIMIT = 5000;
/** And where the browser keeps nothing: whatever closes the page loses them, so they must not become many. */
export const LIMIT_IN_MEMORY = 50;
/** In one upload: small enough to arrive over a network that has just come back. */
export const BATCH = 50;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;
const STORE = "queue";

/** What became of one try, from fetch's answer. `kind`: done, refused, again, signin, over. */
export function outcome(status, body, retryAfter) {
  if (status === 200) return { kind: "done", answer: body };
  if (status === 401) {
    const isOver = ["device_revoked", "device_expired"].includes(body?.code);
    return isOver ? { kind: "over", why: body.code } : { kind: "signin" };
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number.parseFloat(retryAfter);
    return { kind: "again", why: "busy", waitMs: Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : 0 };
  }
  return { kind: "refused", problem: { status, code: body?.code ?? "unexpected", title: body?.title ?? "" } };
}

/** One entry of a batch's answer. */
export function outcomeOf(result) {
  if (result?.ok) return { kind: "done", answer: result };
  if (result?.retry) return { kind: "again", why: "busy", waitMs: 0 };
  return { kind: "refused", problem: { status: 200, code: result?.code ?? "unexpected", title: result?.title ?? "" } };
}

export class Queue {
  /**
   * post(items) -> Promise: a list with an outcome for each, or one {kind: again|signin|over} for all; rejects when
   * nothing was heard from the server. later(ms, work) -> cancel(). tell(event, item, extra) on every change: sending,
   * done, refused, unsent, busy, signin, over, unkept. `ages` counts (ages.js), `shelf` keeps (shelf.js) under `slug`.
   */
  constructor({ post, ages, later, tell, shelf, slug, random = Math.random }) {
    Object.assign(this, { post, ages, later, tell, shelf, slug, random });
    this.items = [];
    this.tries = 0;
    this.isSending = false;
    this.isStopped = false;
    this.isPaused = false;
    this.cancel = null;
    this.next = 0;
    this.keeping = Promise.resolve();
    /** Why nothing gets through just now: unsent, busy, signin, over, or "". */
    this.trouble = "";
    /** Scans that stand in memory alone, because the phone would not keep them. */
    this.unkept = new Set();
  }

  get length() {
    return this.items.length;
  }

  get limit() {
    return this.shelf.isLasting ? LIMIT : LIMIT_IN_MEMORY;
  }

  /** Whether one more may be taken: never more than a page may lose in memory alone. */
  get hasRoom() {
    return this.items.length < this.limit && this.unkept.size < LIMIT_IN_MEMORY;
  }

  /** A scan that still waits. */
  find(matches) {
    return this.items.find(matches);
  }

  /** Takes a scan, or gives null when too many wait. `kept` of the item resolves once the phone has it for good. */
  add(scan) {
    if (!this.hasRoom) return null;
    const item = { ...scan, order: this.next, ...this.ages.born() };
    this.next += 1;
    this.items.push(item);
    item.kept = this.#keep(item);
    this.#send();
    return item;
  }

  /** Something more is known of a waiting scan: what the person was told. It is kept and sent with it. */
  note(item, more) {
    Object.assign(item, more);
    item.kept = this.#keep(item);
    return item.kept;
  }

  /** What an earlier page left; gives how many. */
  async restore() {
    const found = await this.shelf.all(STORE, [this.slug]).catch(() => []);
    const known = new Set(this.items.map(({ scanId }) => scanId));
    const left = found
      .map(([[, order], { ageMs, keptAt, bornAhead, ...scan }]) => ({
        ...scan,
        order,
        ...this.ages.restored({ ageMs, keptAt, bornAhead }),
        kept: Promise.resolve(true),
      }))
      .filter(({ scanId }) => !known.has(scanId));
    this.items.unshift(...left);
    // Whatever was taken while we read stands behind what was left, also when it is read again.
    const behind = left.length ? left[left.length - 1].order + 1 : 0;
    for (const item of this.items.slice(left.length)) {
      this.#drop(item);
      item.order += behind;
      item.kept = this.#keep(item);
    }
    this.next += behind;
    await this.keeping;
    this.#send();
    return left.length;
  }

  /** Somebody asked, the network is back, or the sign-in was renewed: try now. */
  retry() {
    this.isStopped = false;
    this.isPaused = false;
    this.tries = 0;
    this.cancel?.();
    this.cancel = null;
    this.#send();
  }

  /** Nothing is sent until `retry`: the network is away, and trying it is somebody else's work. */
  pause() {
    this.isPaused = true;
    this.cancel?.();
    this.cancel = null;
  }

  /** These were handed over in another way. */
  async drop(items) {
    this.items = this.items.filter((item) => !items.includes(item));
    for (const item of items) this.#drop(item);
    await this.keeping;
  }

  /** Forgets everything that waits, here and on the phone. */
  async wipe() {
    this.items = [];
    this.unkept.clear();
    await this.shelf.change([{ store: STORE, prefix: [this.slug] }]).catch(() => {});
  }

  /** As the server takes it. */
  body(item) {
    const age = this.ages.of(item);
    return {
      scan_id: item.scanId,
      code: item.code,
      checkpoint: item.checkpoint,
      direction: item.direction,
      age_ms: age > 1000 || age < 0 ? age : null,
      ...(item.local ? { local: item.local } : {}),
    };
  }

  /** True once the phone has it; false, and said, where it would not take it. */
  #keep(item) {
    const { scanId, key, code, checkpoint, direction, local = "", order } = item;
    const value = { scanId, key, code, checkpoint, direction, local, ...this.ages.kept(item) };
    const change = [{ store: STORE, key: [this.slug, order, scanId], value }];
    // One after the other, so that what is dropped is not kept again by a write that was on its way.
    const done = this.keeping.then(() => {
      if (!this.items.includes(item)) return true;
      return this.shelf.change(change).then(
        () => {
          this.unkept.delete(scanId);
          return this.shelf.isLasting;
        },
        () => {
          this.unkept.add(scanId);
          this.tell("unkept", item);
          return false;
        },
      );
    });
    this.keeping = done;
    return done;
  }

  #drop(item) {
    const change = [{ store: STORE, key: [this.slug, item.order, item.scanId] }];
    this.unkept.delete(item.scanId);
    this.keeping = this.keeping.then(() => this.shelf.change(change).catch(() => {}));
  }

  async #send() {
    if (this.isSending || this.cancel || this.isStopped || this.isPaused || !this.items.length) return;
    const items = this.items.slice(0, BATCH);
    this.isSending = true;
    this.tell("sending", items[0]);
    let results;
    try {
      results = await this.post(items);
    } catch {
      results = { kind: "again", why: "unsent", waitMs: 0 };
    }
    this.isSending = false;
    if (!Array.isArray(results)) {
      this.#failed(results, items[0]);
      return;
    }
    const final = items.filter((_, index) => ["done", "refused"].includes(results[index]?.kind));
    this.items = this.items.filter((item) => !final.includes(item));
    for (const item of final) this.#drop(item);
    if (final.length) {
      this.tries = 0;
      this.trouble = "";
    }
    items.forEach((item, index) => {
      const result = results[index];
      if (final.includes(item)) this.tell(result.kind, item, result.answer ?? result.problem);
    });
    const rest = results.find((result) => !["done", "refused"].includes(result.kind));
    if (rest) this.#failed(rest, items[results.indexOf(rest)]);
    else this.#send();
  }

  #failed(result, item) {
    if (result.kind === "signin" || result.kind === "over") {
      this.isStopped = true;
      this.trouble = result.kind;
      this.tell(result.kind, item, result.why);
      return;
    }
    this.trouble = result.why;
    this.tell(result.why, item);
    if (this.isPaused) return;
    // Somewhere below the bound, not at it: phones that lost one network together must not come back together.
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries);
    this.tries += 1;
    this.cancel = this.later(Math.max(result.waitMs ?? 0, longest * this.random()), () => {
      this.cancel = null;
      this.#send();
    });
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
