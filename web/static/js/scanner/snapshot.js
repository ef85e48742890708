/**
 * The event's passports on this phone: sealed lines that open for whoever shows their code, who is here already, and
 * what the door knows. Fetched in pages that swap in whole or not at all; read one line at a time.
 */
import { hereOf } from "./judge.js";
import { readCode } from "./reading.js";
import { MARK, fromHex, fromText, pageDigest, secretsOf, unseal } from "./sealed.js";

const STORE = "snapshot";
const META = "meta";
/** Refreshed longer before the network went than this, the list may be old, and the phone says so. */
const STALE_AFTER_MS = 5 * 60_000;
const PAGE_TRIES = 3;
/** More pages than any event has: a server that never ends is not believed. */
const PAGES_MAX = 200;

export class Snapshot {
  /**
   * ask(url, headers) -> Promise<{status, body, etag}>, rejects when nothing was heard. `api` has the addresses
   * snapshot and snapshot_seen. wall(): the phone's clock. `subtle` is missing on insecure origins: then there is no snapshot.
   */
  constructor({ ask, api, shelf, slug, wall, subtle = globalThis.crypto?.subtle }) {
    Object.assign(this, { ask, api, shelf, slug, wall, subtle });
    this.meta = null;
    this.refreshing = null;
    /** Where the lists of those leaders lie whose codes were shown since this page opened, by passport. */
    this.opened = new Map();
  }

  /** What an earlier page took; a snapshot that nobody can open is none. */
  async open() {
    if (!this.subtle) return;
    this.meta = (await this.shelf.get(META, ["snapshot", this.slug]).catch(() => null)) ?? null;
  }

  get world() {
    return this.meta?.world ?? null;
  }

  get version() {
    return this.meta?.version ?? null;
  }

  /** whole: kept up to date until the network went; stale: older than that; none. */
  get state() {
    if (!this.meta) return "none";
    return this.meta.heardAt - this.meta.takenAt > STALE_AFTER_MS ? "stale" : "whole";
  }

  /** Some answer of the server came just now; the list is as good as it was then. */
  async heard() {
    if (!this.meta) return;
    const wasAt = this.meta.heardAt;
    this.meta.heardAt = this.wall();
    // Kept now and then only: each write wakes the phone's storage.
    if (this.meta.heardAt - wasAt > 20_000) await this.#keepMeta();
  }

  /** Fetches what is new of the lines; several callers share one round. Rejects where anything was cut or is missing. */
  refresh() {
    if (!this.subtle) return Promise.resolve(false);
    this.refreshing ??= this.#refresh().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  async #refresh() {
    const known = this.meta;
    const first = await this.#page(known?.version ?? 0, "", known?.etag);
    if (first.status === 304) {
      await this.#taken({});
      return false;
    }
    let page = first.body;
    if (known && known.salt !== page.salt && !page.whole) page = (await this.#page(0, "")).body;
    const isOther = !known || known.salt !== page.salt;
    const { version, salt, whole, since, world } = page;
    const changes = whole ? [{ store: STORE, prefix: [this.slug, "line"] }] : [];
    if (isOther) changes.push({ store: STORE, prefix: [this.slug, "seen"] });
    for (let pages = 1; ; pages += 1) {
      for (const [lookup, sealed] of page.lines) {
        changes.push({ store: STORE, key: [this.slug, "line", lookup], value: sealed || undefined });
      }
      if (!page.next) break;
      if (pages >= PAGES_MAX) throw new Error("a snapshot without an end");
      page = (await this.#page(since, page.next)).body;
      if (page.salt !== salt) throw new Error("another snapshot began");
    }
    await this.#taken({ version, salt, world, etag: first.etag, seenVersion: isOther ? 0 : known.seenVersion }, changes);
    return true;
  }

  async #page(since, after, etag = "") {
    const url = `${this.api.snapshot}?since=${since}${after ? `&after=${after}` : ""}`;
    for (let tries = 1; ; tries += 1) {
      try {
        const answer = await this.ask(url, etag ? { "if-none-match": etag } : {});
        if (answer.status === 304 && etag) return answer;
        if (answer.status !== 200) throw Object.assign(new Error(`answered ${answer.status}`), { status: answer.status });
        const { lines, count, digest } = answer.body ?? {};
        if (!Array.isArray(lines) || lines.length !== count || (await pageDigest(lines, this.subtle)) !== digest) {
          throw new Error("a page was cut off");
        }
        return answer;
      } catch (error) {
        if (tries >= PAGE_TRIES || (error.status >= 400 && error.status < 500)) throw error;
      }
    }
  }

  /** All of it becomes durable together, or the old stays. */
  async #taken(more, changes = []) {
    const at = this.wall();
    const meta = { seenVersion: 0, ...this.meta, ...more, takenAt: at, heardAt: at };
    await this.shelf.change([...changes, { store: META, key: ["snapshot", this.slug], value: meta }]);
    this.meta = meta;
  }

  #keepMeta() {
    return this.shelf
      .change([{ store: META, key: ["snapshot", this.slug], value: this.meta }])
      .catch(() => {}); // known again by the next answer
  }

  /** Who came and went since, at every lane of the lists that one may scan at. */
  async refreshSeen() {
    if (!this.meta) return;
    for (let pages = 0; pages < PAGES_MAX; pages += 1) {
      const { status, body } = await this.ask(`${this.api.snapshot_seen}?since=${this.meta.seenVersion}`, {});
      if (status !== 200 || !Array.isArray(body?.scans)) throw new Error(`answered ${status}`);
      await this.saw(body.scans);
      this.meta.seenVersion = body.version;
      if (!body.more) break;
    }
    this.meta.heardAt = this.wall();
    await this.#keepMeta();
  }

  /** Rows of the ledger, the server's or this phone's own: [passport, list, period, turn, direction, at, checkpoint]. */
  async saw(rows) {
    await this.shelf.change(
      rows.map(([passport, list, period, turn, direction, at, checkpoint]) => ({
        store: STORE,
        key: [this.slug, "seen", passport, list, period, turn, direction],
        value: [at, checkpoint],
      })),
    );
  }

  /** How a passport stands in a list and period, as far as this phone knows. */
  async here(passport, list, period) {
    const rows = await this.shelf.all(STORE, [this.slug, "seen", passport, list, period]);
    return hereOf(rows.map(([key, [at, checkpoint]]) => [key[5], key[6], at, checkpoint]));
  }

  /**
   * Whose code was shown: {reading, code, line}. `code` is what a scan is sent with: the lookup id of somebody known,
   * which names nobody to whoever finds the phone, else what was read.
   */
  async find(text) {
    const { reading, candidates } = readCode(text);
    if (this.meta) {
      const salt = fromHex(this.meta.salt);
      for (const candidate of candidates) {
        const secrets = await secretsOf(candidate, salt, this.subtle);
        const sealed = await this.shelf.get(STORE, [this.slug, "line", secrets.lookup]);
        if (!sealed) continue;
        const line = await unseal(secrets, sealed, this.subtle);
        if (line.group) this.opened.set(line.passport, line.group);
        return { reading: "ok", code: MARK + secrets.lookup, line };
      }
    }
    return { reading, code: text, line: null };
  }

  /**
   * The list of a leader whose code was shown here: {name, members: [{lookup, passport, type, status, name, line}]};
   * null for anybody else, because only their code opens it.
   */
  async group(passport) {
    const opened = this.opened.get(passport);
    if (!opened) return null;
    const secrets = { lookup: opened.lookup, key: fromText(opened.key) };
    const sealed = await this.shelf.get(STORE, [this.slug, "line", secrets.lookup]);
    return sealed ? unseal(secrets, sealed, this.subtle) : null;
  }

  async wipe() {
    this.meta = null;
    this.opened.clear();
    await this.shelf
      .change([
        { store: STORE, prefix: [this.slug] },
        { store: META, key: ["snapshot", this.slug] },
      ])
      .catch(() => {});
  }
}
