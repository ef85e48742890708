/**
 * A print station: takes one badge after the other, prints it once, and says how it went.
 *
 * The loop knows neither the page nor the printer, so that `node --test` plays a morning at a desk: what it is given is
 * ask(path, fields) for the server, print(job) for the printer, and wait(ms).
 */
import { clock } from "./scanner/verdict.js";

export const IDLE_MS = 1500;
/** While nothing waits the station says that it is there, for scanners to know. */
export const BEAT_MS = 15_000;
const LONGEST_MS = 10_000;

export class Loop {
  constructor({ ask, print, wait, now, tell, window }) {
    Object.assign(this, { ask, print, wait, now, tell, window });
    this.isRunning = false;
    this.beaten = -Infinity;
    this.failures = 0;
  }

  async run() {
    this.isRunning = true;
    while (this.isRunning) await this.wait(await this.step());
  }

  /** One turn; gives how long to wait for the next. */
  async step() {
    const found = await this.ask("queue");
    if (!found.ok) return this.#away(found);
    const queue = found.body;
    const wantsWork = queue.waiting > 0 && !queue.pause && queue.is_open;
    if (!wantsWork && this.now() - this.beaten < BEAT_MS) {
      this.failures = 0;
      this.tell("idle", { queue });
      return IDLE_MS;
    }
    const taken = await this.ask("take", { window: this.window });
    if (!taken.ok) return this.#away(taken);
    this.beaten = this.now();
    this.failures = 0;
    const job = taken.body.job;
    if (!job) {
      this.tell(wantsWork ? "elsewhere" : "idle", { queue });
      return IDLE_MS;
    }
    this.tell("printing", { queue, job });
    let failure = "";
    try {
      await this.print(job);
    } catch {
      failure = "browser";
    }
    await this.#say(job, failure);
    return 0;
  }

  /** A badge that came out must be told, else it would come out again: tried until it arrives or is nobody's business. */
  async #say(job, failure) {
    for (let tries = 0; ; tries += 1) {
      const said = await this.ask(`jobs/${job.id}/done`, { window: this.window, ...(failure ? { failure } : {}) });
      if (said.ok || (said.status >= 400 && said.status < 500 && said.status !== 401 && said.status !== 429)) return;
      this.tell("offline", {});
      await this.wait(Math.min(LONGEST_MS, 500 * 2 ** tries));
    }
  }

  #away(answer) {
    this.failures += 1;
    this.tell(answer.status === 401 || answer.status === 403 ? "signin" : "offline", {});
    return Math.min(LONGEST_MS, IDLE_MS * 2 ** Math.min(this.failures, 4));
  }
}

// --- the page ----------------------------------------------------------------------------------------------------

const source = globalThis.document?.getElementById("station-data");
if (source) start(JSON.parse(source.textContent));

function start(page) {
  const $ = (id) => document.getElementById(id);
  const { words } = page;
  const newId = () => crypto.randomUUID?.() ?? [8, 4, 4, 4, 12].map((many) => Array.from(crypto.getRandomValues(new Uint8Array(many)), (one) => (one & 15).toString(16)).join("")).join("-");
  const window_ = newId();
  let queue = page.queue;

  async function ask(path, fields) {
    try {
      const response = await fetch(`${page.base}/${path}`, {
        method: fields ? "POST" : "GET",
        headers: { accept: "application/json" },
        ...(fields ? { body: new URLSearchParams(fields) } : {}),
        signal: AbortSignal.timeout?.(8000),
      });
      return { ok: response.ok, status: response.status, body: await response.json().catch(() => null) };
    } catch {
      return { ok: false, status: 0, body: null };
    }
  }

  /** The frame shows the badge, and is printed once: in kiosk printing without a question. */
  function printed(address) {
    const frame = $("station-frame");
    return new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error("late")), 20_000);
      frame.addEventListener(
        "load",
        () => {
          const shown = frame.contentWindow;
          if (!shown?.document?.querySelector(".badge")) {
            clearTimeout(late);
            failed(new Error("no badge"));
            return;
          }
          shown.addEventListener("afterprint", () => (clearTimeout(late), done()), { once: true });
          shown.document.fonts.ready.then(() => shown.print());
        },
        { once: true },
      );
      frame.src = address;
    });
  }

  const loop = new Loop({
    ask,
    print: (job) => printed(`${page.base}/badge?job=${job.id}&window=${window_}`),
    wait: (ms) => new Promise((done) => setTimeout(done, ms)),
    now: () => performance.now(),
    window: window_,
    tell: (state, { queue: found, job }) => {
      if (found) queue = found;
      show(state, job);
    },
  });

  function show(state, job) {
    const name = job ? (queue.next.find((one) => one.id === job.id)?.name ?? "") : "";
    const paused = queue.pause ? (queue.pause === "paper_out" ? "paper_out" : "paused") : "";
    const said = state === "idle" && !queue.is_open ? "closed" : state === "idle" && paused ? paused : state;
    const line = $("station-state");
    line.textContent = [words[said].replace("%(name)s", name), job?.tries > 1 ? words.again : ""].filter(Boolean).join(" · ");
    line.dataset.tone = { idle: "wait", printing: "go", offline: "stop", signin: "stop", closed: "stop" }[said] ?? "care";
    $("station-waiting").textContent = queue.waiting;
    $("station-on").hidden = !queue.pause;
    for (const id of ["station-paper", "station-pause"]) $(id).hidden = Boolean(queue.pause);
    $("station-next").replaceChildren(...queue.next.map((one) => row(one, one.state === "queued" ? ["drop", () => act(`jobs/${one.id}/drop`, {})] : null)));
    $("station-last").replaceChildren(...queue.last.map((one) => row(one, ["again", () => act("again", { passport: one.passport_id, request: newId() })])));
  }

  function row(one, button) {
    const item = document.createElement("li");
    item.className = "row";
    const add = (tag, className, text) => {
      const element = Object.assign(document.createElement(tag), { className, textContent: text });
      item.append(element);
      return element;
    };
    add("p", "row__title", one.name);
    add("p", "row__meta", [one.badge, clock(one.at, page.locale, page.time_zone), page.failures[one.failure] ?? ""].filter(Boolean).join(" · "));
    if (button) {
      const [label, work] = button;
      const side = add("p", "row__side", "");
      const press = Object.assign(document.createElement("button"), { type: "button", className: "button button--quiet button--s", textContent: page.labels[label] });
      press.addEventListener("click", () => ((press.disabled = true), work()));
      side.append(press);
    }
    return item;
  }

  async function act(path, fields) {
    await ask(path, fields);
    const found = await ask("queue");
    if (found.ok) queue = found.body;
    show("idle");
  }

  $("station-paper").addEventListener("click", () => act("pause", { why: "paper_out" }));
  $("station-pause").addEventListener("click", () => act("pause", { why: "by_hand" }));
  $("station-on").addEventListener("click", () => act("pause", {}));
  $("station-sample").addEventListener("click", (event) => printed(event.currentTarget.dataset.href).catch(() => {}));
  show("idle");
  loop.run();
}
