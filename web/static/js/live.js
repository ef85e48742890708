/**
 * Follows live topics: a WebSocket first, polling with ETags where it fails, and back.
 *
 * Whoever follows gets the newest frame of each topic and is told how current it is; nothing else. The server decides
 * by version what is new, so that a lost connection, a restarted server or a slept laptop cost delay and no truth.
 */

export const SOCKET_FAILURES = 3; // then polling starts, and the socket is still tried now and then
const RECONNECT_MIN_MS = 500;
const RECONNECT_MAX_MS = 30_000;
const POLL_MS = 3_000;
const PING_MS = 25_000;
const PONG_PATIENCE_MS = 10_000;
const HIDDEN_PATIENCE_MS = 10_000;
// The server has no room for another socket: this client polls, and asks again after a while.
const POLL_INSTEAD = 1013;
const ROOM_AGAIN_MS = 120_000;
// After so long without news the version alone is not enough: another day may have begun.
const FORGET_MS = 60_000;

/** Full jitter: anything up to the exponential limit, so that a thousand clients never come back together. */
export function pause(failures, dice = Math.random) {
  const limit = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** failures);
  return RECONNECT_MIN_MS / 2 + dice() * limit;
}

export class Live {
  /**
   * versions: {topic: version the page was rendered with}
   * onFrame(topic, data, version); onState({mode: "socket"|"poll"|"off", fresh: ms since 1970 of the last proof});
   * onClock(ms by which the server's clock is ahead); onGone(topic, code): the topic may no longer be followed.
   */
  constructor({ versions, onFrame, onState = () => {}, onClock = () => {}, onGone = () => {}, transport = "auto" }) {
    Object.assign(this, { onFrame, onState, onClock, onGone, transport });
    this.versions = new Map(Object.entries(versions));
    this.tags = new Map();
    this.held = new Map();
    this.fresh = Date.now();
    this.mode = "off";
    this.failures = 0;
    this.timers = {};
    this.socket = null;
    this.polling = false;
    this.running = false;
  }

  start() {
    if (this.running) return;
    this.running = true;
    document.addEventListener("visibilitychange", () => this.#seen());
    globalThis.addEventListener("online", () => this.#now());
    globalThis.addEventListener("pageshow", (event) => event.persisted && this.#now());
    this.#go();
  }

  stop() {
    this.running = false;
    this.#rest();
  }

  // --- coming and going

  #go() {
    if (!this.running || this.versions.size === 0) return;
    if (this.transport === "poll" || !("WebSocket" in globalThis)) this.#poll();
    else this.#connect();
  }

  #now() {
    if (!this.running || document.hidden) return;
    this.failures = 0;
    if (this.mode !== "socket") {
      this.#rest();
      this.#go();
    }
  }

  #rest() {
    for (const name of Object.keys(this.timers)) this.#cancel(name);
    this.polling = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.#say("off");
  }

  #seen() {
    if (document.hidden) {
      this.#later("hidden", HIDDEN_PATIENCE_MS, () => this.#rest());
    } else {
      this.#cancel("hidden");
      const held = [...this.held.values()];
      this.held.clear();
      for (const said of held) this.#frame(said);
      if (this.running && this.mode === "off") this.#now();
    }
  }

  #later(name, ms, what) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(what, ms);
  }

  #cancel(name) {
    clearTimeout(this.timers[name]);
    delete this.timers[name];
  }

  #say(mode = this.mode) {
    this.mode = mode;
    this.onState({ mode, fresh: this.fresh });
  }

  #proof(mode) {
    this.fresh = Date.now();
    this.#say(mode);
  }

  #known(topic) {
    return Date.now() - this.fresh > FORGET_MS ? null : this.versions.get(topic);
  }

  #frame({ topic, version, data }) {
    if (!this.versions.has(topic)) return;
    this.versions.set(topic, version);
    if (document.hidden) {
      this.held.set(topic, { topic, version, data }); // nobody looks: the newest is shown when somebody does
      return;
    }
    this.onFrame(topic, data, version);
  }

  #gone(topic, code) {
    if (code === "busy") {
      this.#later(`again ${topic}`, pause(3), () => this.#send({ op: "sub", topics: { [topic]: this.#known(topic) } }));
      return;
    }
    this.versions.delete(topic);
    this.onGone(topic, code);
    if (this.versions.size === 0) this.stop();
  }

  // --- the socket

  #connect() {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/live`);
    this.socket = socket;
    let waits = 0;
    socket.onopen = () => {
      if (this.socket !== socket) return socket.close();
      const topics = Object.fromEntries([...this.versions.keys()].map((topic) => [topic, this.#known(topic)]));
      this.#send({ op: "sub", topics });
    };
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      const said = JSON.parse(data);
      if (said.op === "bye") {
        waits = said.retry_after * 1000;
        return;
      }
      this.failures = 0;
      this.polling = false;
      this.#cancel("poll");
      this.#proof("socket");
      this.#later("ping", PING_MS, () => this.#ping(socket));
      if (said.at) this.onClock(said.at - Date.now());
      if (said.op === "revoked" || said.op === "refused") this.#gone(said.topic, said.code ?? "revoked");
      else if (said.topic) this.#frame(said);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      if (event?.code === POLL_INSTEAD) {
        this.failures = Math.max(this.failures, SOCKET_FAILURES);
        this.#lost(0, ROOM_AGAIN_MS * (0.5 + Math.random()));
      } else this.#lost(waits);
    };
  }

  #lost(waits = 0, rest = 0) {
    this.socket = null;
    this.#cancel("ping");
    if (!this.running) return;
    this.failures += 1;
    if (!this.polling) this.#say("off");
    // A server that said goodbye said when to come back as well.
    this.#later("connect", waits || rest || pause(this.failures), () => this.#connect());
    if (this.failures >= SOCKET_FAILURES && !this.polling && !waits) this.#poll();
  }

  #ping(socket) {
    this.#send({ op: "ping" });
    this.#later("ping", PONG_PATIENCE_MS, () => {
      // Half-open: closing would wait for the other side, which is not there.
      socket.close();
      if (this.socket === socket) this.#lost();
    });
  }

  #send(what) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(what));
  }

  // --- polling

  async #poll() {
    this.polling = true;
    let wait = POLL_MS * (0.8 + Math.random() * 0.4);
    let failed = 0;
    const round = async () => {
      try {
        for (const topic of [...this.versions.keys()]) await this.#ask(topic);
        if (!this.polling) return;
        failed = 0;
        wait = POLL_MS * (0.8 + Math.random() * 0.4);
        this.#proof("poll");
      } catch (trouble) {
        if (!this.polling) return;
        failed += 1;
        wait = Math.max(pause(failed), (trouble.retryAfter ?? 0) * 1000);
        this.#say("off");
      }
      if (this.polling && this.versions.size) this.#later("poll", wait, round);
    };
    await round();
  }

  async #ask(topic) {
    const headers = { accept: "application/json" };
    if (this.tags.has(topic)) headers["if-none-match"] = this.tags.get(topic);
    const answer = await fetch(`/live/${topic}`, { headers, cache: "no-store", signal: timeout(10_000) });
    if (answer.status === 304) return;
    if ([401, 403, 404].includes(answer.status)) {
      this.#gone(topic, answer.status === 404 ? "not_found" : "forbidden");
      return;
    }
    if (!answer.ok) {
      throw Object.assign(new Error(answer.status), { retryAfter: Number(answer.headers.get("retry-after")) });
    }
    const said = await answer.json();
    if (!this.polling) return;
    this.tags.set(topic, answer.headers.get("etag"));
    const date = Date.parse(answer.headers.get("date"));
    if (date) this.onClock(date + 500 - Date.now());
    this.#frame(said);
  }
}

/** AbortSignal.timeout where the browser has it. */
function timeout(ms) {
  if (AbortSignal.timeout) return AbortSignal.timeout(ms);
  const control = new AbortController();
  setTimeout(() => control.abort(), ms);
  return control.signal;
}

/** "As of 12 s ago" in the page's words. */
export function age(ms, words) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 100
    ? words.as_of.replace("{n}", seconds)
    : words.as_of_minutes.replace("{n}", Math.round(seconds / 60));
}
