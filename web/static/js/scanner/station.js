/**
 * The scanner behind its screen: who it is to the server, whether the server can be asked, what it knows without it, and
 * what waits. The page tells it of codes and is told what became of them; no element of the page is touched here.
 */
import { Ages } from "./ages.js";
import { decide, periodIn, rowOf } from "./doorman.js";
import { Names } from "./names.js";
import { Network } from "./network.js";
import { Queue, outcome, outcomeOf } from "./queue.js";
import { MARK } from "./sealed.js";
import { openShelf } from "./shelf.js";
import { Snapshot } from "./snapshot.js";

/** Nobody waits longer for the server while this phone can answer itself; the scan stays under way. */
const VERDICT_PATIENCE_MS = 2500;
/** A scan sent again under its id gets the same answer, so giving up early costs nothing. */
const UPLOAD_PATIENCE_MS = 6000;
const BATCH_PATIENCE_MS = 20000;
const TRIAL_PATIENCE_MS = 4000;
const FETCH_PATIENCE_MS = 20000;
const LINES_EVERY_MS = 30000;
const SEEN_EVERY_MS = 15000;
const REPORT_EVERY_MS = 30000;
const NAMES_EVERY_MS = 60000;
/** Stands for an id in an address that was written without one. */
const NOBODY = "00000000-0000-0000-0000-000000000000";
const LEFTOVERS_AT_ONCE = 200;

const now = () => performance.now();
const wall = () => Date.now();
const later = (ms, work) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

export class Station {
  #hasConflicts = false;

  /**
   * data: {slug, api, health}. tell(event, item, extra), with the queue's events and besides: local (decided here, extra
   * is the answer), full, conflicts, offline, waiting, over (revoked or expired, extra says which), wiped, world,
   * problem, device. identity() -> Promise of the pairing that this browser keeps now.
   */
  constructor({ data, pairing = null, tell, identity = async () => null }) {
    this.data = data;
    this.slug = data.slug;
    this.api = data.api;
    this.pairing = pairing;
    this.tell = tell;
    this.identity = identity;
    this.problems = new Set();
    this.conflicts = [];
    this.latest = null;
    this.isOver = "";
    this.timers = [];
    this.ages = new Ages({ now, wall });
    this.network = new Network({ try_: () => this.#trial(), now, later, tell: (isOffline) => this.#turned(isOffline) });
  }

  get isOffline() {
    return this.network.isOffline;
  }

  /** Opens what is kept, and begins; gives how many scans an earlier page left. */
  async start() {
    this.shelf = await openShelf();
    if (!this.shelf.isLasting) this.#problem("storage", true);
    const { slug, shelf } = this;
    this.queue = new Queue({
      ages: this.ages,
      shelf,
      slug,
      later,
      post: (items) => this.#post(items),
      tell: (event, item, extra) => this.#queued(event, item, extra),
    });
    this.snapshot = new Snapshot({ ask: (url, headers) => this.#ask(url, headers), api: this.api, shelf, slug, wall });
    this.names = new Names({ ask: (url, headers) => this.#ask(url, headers), url: this.api.names, shelf, slug });
    await this.snapshot.open();
    if (globalThis.navigator?.onLine === false) this.network.lost();
    if (this.#isPastEnd()) await this.#ended();
    const left = await this.queue.restore();
    this.#every(LINES_EVERY_MS, () => this.refresh());
    this.#every(SEEN_EVERY_MS, () => this.#refreshSeen());
    this.#every(REPORT_EVERY_MS, () => this.#refreshConflicts());
    if (this.pairing) this.#every(REPORT_EVERY_MS, () => this.report());
    if (this.seesNames) this.#every(NAMES_EVERY_MS, () => this.#refreshNames());
    this.#every(5000, () => this.#isPastEnd() && this.#ended());
    if (!this.isOffline) this.#begin();
    return left;
  }

  async #begin() {
    if (this.pairing) await this.report();
    await this.refresh();
    await this.#refreshSeen();
    await this.#refreshConflicts();
    if (this.seesNames) await this.#refreshNames();
  }

  #every(ms, work) {
    // Spread, so that phones that were switched on together do not ask together.
    const again = () => {
      this.timers.push(setTimeout(run, ms * (0.85 + 0.3 * Math.random())));
    };
    const run = async () => {
      if (!this.isOffline && !globalThis.document?.hidden && !this.isWiped) await work();
      again();
    };
    again();
  }

  // --- the server --------------------------------------------------------------------------------------------------

  /** Every request of the page goes this way: it carries who we are, and tells how the network is. */
  fetch = async (url, init = {}) => {
    const headers = new Headers(init.headers ?? {});
    if (this.pairing) headers.set("authorization", `Bearer ${this.pairing.token}`);
    const began = now();
    try {
      const response = await fetch(url, { ...init, headers, ...(this.pairing ? { credentials: "omit" } : {}) });
      this.network.note(response.status < 500, now() - began);
      this.#heard(response);
      return response;
    } catch (error) {
      this.network.note(false);
      throw error;
    }
  };

  #heard(response) {
    const at = Date.parse(response.headers.get("date") ?? "");
    if (Number.isFinite(at)) this.ages.heard(at);
    this.snapshot?.heard();
  }

  async #ask(url, headers) {
    const response = await this.fetch(url, {
      headers: { accept: "application/json", ...headers },
      cache: "no-store",
      signal: AbortSignal.timeout?.(FETCH_PATIENCE_MS),
    });
    const body = response.status === 304 ? null : await json(response);
    if (response.status === 401) this.#unwelcome(body);
    return { status: response.status, body, etag: response.headers.get("etag") ?? "" };
  }

  async #trial() {
    const response = await fetch(this.data.health, { cache: "no-store", signal: AbortSignal.timeout?.(TRIAL_PATIENCE_MS) });
    // A venue's sign-in page answers everything, and never so.
    const body = await response.json().catch(() => null);
    if (response.status !== 200 || body?.ok !== true) return false;
    this.#heard(response);
    return true;
  }

  #turned(isOffline) {
    if (isOffline) this.queue?.pause();
    else {
      this.queue?.retry();
      this.#begin();
    }
    this.tell("offline", null, isOffline);
  }

  /** The browser's own word about the network: certain when it is gone, a hint when it is back. */
  browserSaid(isOnline) {
    if (isOnline) this.network.perhaps();
    else this.network.lost();
  }

  /** The page is seen again, or somebody pressed: try now. */
  retry() {
    if (this.isOffline) this.network.perhaps();
    else this.queue.retry();
  }

  // --- a scan ------------------------------------------------------------------------------------------------------

  /** What the phone knows of a code; asked before anything is sent, because it says what is sent. */
  async find(text) {
    try {
      return await this.snapshot.find(text);
    } catch {
      return { reading: "ok", code: text, line: null };
    }
  }

  /**
   * Takes a scan; what becomes of it is told. `key` tells the same code at the same place again; `listed` is for who
   * tells: the list in which this person's verdict is said, instead of on the screen.
   */
  take({ scanId, found, key, checkpoint, direction, listed = null }) {
    const item = this.queue.add({ scanId, key, code: found.code, checkpoint, direction });
    if (!item) return null;
    Object.assign(item, { found, listed });
    this.latest = item;
    if (this.isOffline) this.#decide(item);
    else
      later(VERDICT_PATIENCE_MS, () => this.#decide(item));
    return item;
  }

  /** Says by itself what the server can't be asked, once; the phone has it for good before anybody is let in. */
  async #decide(item) {
    if (item.local || item.isDeciding || !this.queue.items.includes(item)) return;
    if (this.snapshot.state === "none") {
      this.tell("unsent", item);
      return;
    }
    item.isDeciding = true;
    let said = null;
    try {
      const { snapshot } = this;
      const { found, checkpoint, direction } = item;
      said = await decide({ snapshot, found, checkpoint, direction, at: this.#serverNow() });
    } catch {
      said = null;
    }
    item.isDeciding = false;
    // Decided by the server meanwhile.
    if (!this.queue.items.includes(item)) return;
    if (!said) {
      this.tell("unsent", item);
      return;
    }
    await this.queue.note(item, { local: said.local });
    if (said.row) await this.snapshot.saw([said.row]).catch(() => {});
    if (this.queue.items.includes(item)) this.tell("local", item, said.answer);
  }

  async #post(items) {
    // After its end a device's queue is taken by the batch alone.
    if (items.length === 1 && !this.isOver) return this.#postOne(items[0]);
    const response = await this.#send(this.api.batch, { scans: items.map((item) => this.queue.body(item)) }, BATCH_PATIENCE_MS);
    const body = await json(response);
    const whole = outcome(response.status, body, response.headers.get("retry-after"));
    if (whole.kind === "over") this.#handOver(whole.why);
    if (whole.kind !== "done") return whole.kind === "refused" ? items.map(() => whole) : whole;
    if (!Array.isArray(body?.results) || body.results.length !== items.length) throw new Error("not our server");
    return body.results.map(outcomeOf);
  }

  async #postOne(item) {
    const response = await this.#send(this.api.scans, this.queue.body(item), UPLOAD_PATIENCE_MS);
    const body = await json(response);
    if (response.status === 200 && !body?.verdict) throw new Error("not our server: a venue's sign-in page answers so");
    const one = outcome(response.status, body, response.headers.get("retry-after"));
    if (one.kind !== "over") return ["done", "refused"].includes(one.kind) ? [one] : one;
    this.#unwelcome(body);
    // Expired, it is sent once more, as a batch.
    return one.why === "device_expired" ? { kind: "again", why: "unsent", waitMs: 0 } : one;
  }

  #send(url, body, patience) {
    return this.fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout?.(patience),
    });
  }

  #queued(event, item, extra) {
    if (event === "done") this.#learn(item, extra);
    if (event === "unkept") this.#problem("storage_full", true);
    if (event === "done" && extra.conflict) this.#hasConflicts = true;
    if (event === "done" && this.#hasConflicts && !this.queue.length) {
      this.#hasConflicts = false;
      this.#refreshConflicts();
    }
    if (["unsent", "busy"].includes(event)) {
      // Nobody in front of this phone waits for a network that just failed.
      for (const one of this.queue.items.filter(({ local, found }) => !local && found)) this.#decide(one);
      return;
    }
    this.tell(event, item, extra);
  }

  /** What the server decided is known here when the network goes. */
  async #learn(item, answer) {
    const { world } = this.snapshot;
    const own = world?.checkpoints.find(({ id }) => id === item.checkpoint);
    if (!own || !answer.holder) return;
    try {
      const here = await this.snapshot.here(answer.holder.passport_id, own.list_id, periodIn(world, own, answer.at));
      const row = rowOf({ world, answer, checkpoint: item.checkpoint, here });
      if (row) await this.snapshot.saw([row]);
    } catch {
      // the next answer about who is here brings it
    }
  }

  // --- what is kept up to date -------------------------------------------------------------------------------------

  async refresh() {
    try {
      if (await this.snapshot.refresh()) this.tell("world", null, this.snapshot.world);
      this.#problem("snapshot", false);
      this.#problem("storage_full", false);
    } catch (error) {
      this.#problem(error.name === "QuotaExceededError" ? "storage_full" : "snapshot", true);
    }
  }

  async #refreshSeen() {
    await this.snapshot.refreshSeen().catch(() => {}); // asked again soon
  }

  /** A paired phone says that it is there, and hears what changed for it. */
  async report() {
    if (!this.pairing) return;
    try {
      const { status, body } = await this.#askPost(this.api.seen, {
        instance: this.pairing.instance,
        app_version: this.data.build,
        queue_length: this.queue.length,
        snapshot_version: this.snapshot.version,
        problems: [...this.problems],
      });
      if (status !== 200 || !body?.device) return;
      this.tell("device", null, body);
    } catch {
      // said again in half a minute
    }
  }

  async #askPost(url, body) {
    const response = await this.#send(url, body, FETCH_PATIENCE_MS);
    const answer = await json(response);
    if (response.status === 401) this.#unwelcome(answer);
    return { status: response.status, body: answer };
  }

  #problem(code, isThere) {
    if (this.problems.has(code) === isThere) return;
    this.problems[isThere ? "add" : "delete"](code);
    this.tell("problem", null, [...this.problems]);
  }

  get seesNames() {
    return Boolean(this.pairing?.device?.sees_names) && !this.isOver;
  }

  async #refreshNames() {
    try {
      await this.names.refresh();
    } catch (error) {
      this.#problem(error.name === "QuotaExceededError" ? "storage_full" : "snapshot", true);
    }
  }

  /** People by name, as the search of the server gives them; null where this phone may hold no names. */
  async searchNames(text) {
    const found = this.isOver ? null : await this.names.search(text).catch(() => null);
    return found?.map((one) => ({ ...this.#person(one), phone_last4: one.last4, group: null })) ?? null;
  }

  /**
   * A leader's group at a checkpoint, as the server gives it; null where this phone has no such list, or the leader's
   * code was not shown here.
   */
  async group(passportId, checkpointId) {
    const { world } = this.snapshot;
    const own = world?.checkpoints.find(({ id }) => id === checkpointId);
    if (this.isOver || !own) return null;
    try {
      const found = await this.snapshot.group(passportId);
      if (!found) return null;
      const period = periodIn(world, own, this.#serverNow());
      const people = found.members.map(async (one) => {
        const here = await this.snapshot.here(one.passport, own.list_id, period);
        return { ...this.#person(one), here_since: here.inside ? here.first.at : null };
      });
      return { name: found.name, people: await Promise.all(people), isLocal: true };
    } catch {
      return null;
    }
  }

  #person(one) {
    const type = this.snapshot.world?.ticket_types.find(({ id }) => id === one.type);
    return {
      passport_id: one.passport,
      name: one.name,
      line: one.line,
      ticket_type: type?.name ?? {},
      status: one.status,
      badge: one.badge ?? null,
      notice: one.notice ?? null,
      known: known(one),
    };
  }

  // --- conflicts ---------------------------------------------------------------------------------------------------

  /** What the server sees otherwise than this phone told people; a lead's are those of all their lanes. */
  async #refreshConflicts() {
    try {
      const { status, body } = await this.#ask(`${this.api.conflicts}`, {});
      if (status === 200 && Array.isArray(body?.conflicts)) this.#setConflicts(body.conflicts);
    } catch {
      // asked again soon
    }
  }

  #setConflicts(list) {
    this.conflicts = list;
    this.tell("conflicts", null, list);
  }

  /** Somebody on this phone has looked after it. Gives whether the server knows it, too. */
  async dealt(scanId) {
    try {
      const { status } = await this.#askPost(this.api.conflict_deal.replace(NOBODY, scanId), {});
      if (status >= 400) return false;
    } catch {
      return false;
    }
    this.#setConflicts(this.conflicts.filter((one) => one.scan_id !== scanId));
    return true;
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  #isPastEnd() {
    const until = this.pairing?.device?.expires_at;
    return Boolean(until) && this.#serverNow() >= Date.parse(until);
  }

  /** The server's time as far as this phone knows it. */
  #serverNow() {
    return wall() - (this.ages.ahead ?? 0);
  }

  /** The pairing's time is over: names and passports go by the phone's own doing, the queue stays until it is sent. */
  async #ended() {
    if (this.isOver) return;
    this.isOver = "device_expired";
    await this.snapshot.wipe();
    await this.names.wipe();
    this.tell("over", null, this.isOver);
  }

  /** The server does not know us any more. */
  async #unwelcome(body) {
    if (!this.pairing) return;
    if (body?.code === "device_expired") this.#ended();
    else if (body?.code === "device_revoked") this.#handOver(body.code);
    else if (body?.code === "sign_in_needed" && !(await this.#pairedAnew())) this.#handOver("device_revoked");
  }

  /** Whether another page of this browser was paired anew meanwhile: the token is another one, the device the same. */
  async #pairedAnew() {
    const kept = await this.identity().catch(() => null);
    if (!kept || kept.token === this.pairing.token) return false;
    this.pairing = kept;
    this.queue.retry();
    return true;
  }

  /**
   * What is left goes to where it is kept apart, however long that takes; passports and names go at once, and then
   * nothing of the event stays on this phone.
   */
  async #handOver(why) {
    if (this.isHandingOver) return;
    this.isHandingOver = true;
    this.isOver = why;
    this.queue.pause();
    this.tell("over", null, this.isOver);
    await this.snapshot.wipe();
    await this.names.wipe();
    this.#setConflicts([]);
    const left = this.queue.length;
    for (let tries = 0; this.queue.length; tries += 1) {
      const items = this.queue.items.slice(0, LEFTOVERS_AT_ONCE);
      try {
        const body = { scans: items.map((item) => this.queue.body(item)) };
        const response = await this.#send(this.api.leftovers, body, BATCH_PATIENCE_MS);
        if (response.status >= 500 || response.status === 429) throw new Error("busy");
        await this.queue.drop(items);
      } catch {
        await new Promise((done) => setTimeout(done, Math.min(30_000, 1000 * 2 ** tries) * (0.5 + Math.random() / 2)));
      }
    }
    await this.wipe();
    this.tell("wiped", null, left);
  }

  /** Forgets the event: pairing, passports, names, conflicts, and what waits. */
  async wipe() {
    this.isWiped = true;
    await this.queue.wipe();
    await this.snapshot.wipe();
    const { slug } = this;
    await this.shelf
      .change([
        { store: "names", prefix: [slug] },
        { store: "kept", prefix: [slug] },
        { store: "pairing", key: slug },
      ])
      .catch(() => {});
    this.#setConflicts([]);
  }
}

/** Somebody of a list, as if their code had been shown. */
function known({ lookup, passport, type, status, name, line, badge, notice }) {
  return { reading: "ok", code: MARK + lookup, line: { passport, type, status, name, line, badge, notice } };
}

async function json(response) {
  return response.json().catch(() => null);
}
