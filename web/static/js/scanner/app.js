/** The scanner page: the camera, readers and fingers on one side, the API on the other, the verdict between them. */
import { Camera } from "./camera.js";
import { Awake, Sound, copy, keep, keepWaiting, recall, recallWaiting } from "./device.js";
import { Queue, Repeats, newId, outcome } from "./queue.js";
import { TypedReader } from "./reader.js";
import * as verdicts from "./verdict.js";

const source = document.getElementById("scanner-data");
const data = JSON.parse(source.textContent);
const $ = (id) => document.getElementById(id);
const now = () => performance.now();

/** A scan sent again under its id gets the same answer, so giving up early costs nothing. */
const UPLOAD_PATIENCE_MS = 6000;
const FULL_SCREEN_MS = 2500;
const COUNTS_EVERY_MS = 15000;
const RECENT_LIMIT = 50;

let locale = data.locale;
let checkpoint = null;
let direction = "entry";
let shown = null; // {id, state, make}: the scan on the screen and how to say it again in another language
let shrinking = 0;
const recent = []; // the latest first: {id, at, view}
const settled = new Map(); // scan id -> how to say its verdict, for repeats within seconds

const strings = (of = locale) => data.strings[of];
const views = () => ({
  locale,
  timeZone: data.time_zone,
  strings: strings(),
  otherStrings: strings(verdicts.otherLocale(locale)),
});

// --- the server --------------------------------------------------------------------------------------------------

async function post(item) {
  const age = queue.age(item);
  const response = await fetch(data.api.scans, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({
      scan_id: item.scanId,
      code: item.code,
      checkpoint: item.checkpoint,
      direction: item.direction,
      age_ms: age > 1000 ? age : null,
    }),
    signal: AbortSignal.timeout?.(UPLOAD_PATIENCE_MS),
  });
  const body = await response.json().catch(() => null);
  if (response.status === 200 && !body?.verdict) throw new Error("not our server: a venue's sign-in page answers so");
  return outcome(response.status, body, response.headers.get("retry-after"));
}

async function ask(url) {
  const response = await fetch(url, { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

const queue = new Queue({
  post,
  now,
  later: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
  keep: (items) => keepWaiting(data.slug, items),
  tell: (event, item, extra) => {
    if (event === "done") {
      decided(item.scanId, () => verdicts.ofAnswer(extra, views()), extra.at);
      countsSoon();
    } else if (event === "refused") {
      decided(item.scanId, () => verdicts.ofProblem(extra, views()), new Date().toISOString());
    } else if (event !== "sending") {
      // Say it for the newest scan, which is the person in front; older ones wait with it.
      const last = queue.items[queue.items.length - 1];
      const isNews = shown?.id !== last.scanId || shown.state !== event;
      show(last.scanId, event, () => verdicts.ofWaiting(event, views()), isNews);
      if (isNews) sound.play("care");
    }
    showCounts();
  },
});
const repeats = new Repeats({ now });

// --- a scan ------------------------------------------------------------------------------------------------------

function scan(code, { isCamera = false } = {}) {
  const text = code.trim();
  if (!text) return;
  if (!checkpoint) {
    openDrawer("choose");
    return;
  }
  const key = `${checkpoint.id} ${direction} ${text}`;
  const repeat = repeats.look(key);
  if (repeat) {
    // In front of the camera all the while: what was said stands. Back again, or typed: say it again.
    if (repeat.isBack || !isCamera) sayAgain(repeat.id);
    return;
  }
  const waiting = queue.find((item) => item.key === key);
  if (waiting) {
    // Shown again because nothing seemed to happen: it is on its way, a second scan would call it a repeat.
    repeats.remember(key, waiting.scanId);
    sayWaiting(waiting.scanId);
    queue.retry();
    return;
  }
  const scanId = newId();
  repeats.remember(key, scanId);
  if (!queue.add({ scanId, key, code: text, checkpoint: checkpoint.id, direction })) {
    settle(scanId, () => verdicts.ofWaiting("full", views()));
    show(scanId, "full", settled.get(scanId), true);
    sound.play("stop");
    return;
  }
  sayWaiting(scanId);
}

function sayWaiting(scanId) {
  const state = queue.trouble || "asking";
  show(scanId, state, () => verdicts.ofWaiting(state, views()), Boolean(queue.trouble));
  if (queue.trouble) sound.play("care");
  showCounts();
}

function settle(id, make) {
  settled.set(id, make);
  if (settled.size > RECENT_LIMIT) settled.delete(settled.keys().next().value);
}

function sayAgain(id) {
  const make = settled.get(id);
  if (!make) return;
  show(id, "done", make, true);
  sound.play(make().tone);
}

function decided(id, make, at) {
  const view = make();
  settle(id, make);
  recent.unshift({ id, at, make });
  recent.length = Math.min(recent.length, RECENT_LIMIT);
  show(id, "done", make, true);
  sound.play(view.tone);
}

function show(id, state, make, isNew) {
  const panel = $("verdict");
  const isSame = panel.dataset.scan === id && panel.dataset.state === state;
  shown = { id, state, make };
  paint();
  panel.hidden = false;
  $("main").classList.add("scanner--said");
  clearTimeout(shrinking);
  if (isNew) {
    panel.dataset.said = isSame ? Number(panel.dataset.said) + 1 : 1;
    // A changed element is read out and moves in again; the same one would not.
    panel.classList.remove("verdict--in");
    void panel.offsetWidth;
    panel.classList.add("verdict--in", "verdict--full");
    shrinking = setTimeout(() => panel.classList.remove("verdict--full"), FULL_SCREEN_MS);
  }
}

function paint() {
  if (!shown) return;
  const view = shown.make();
  const panel = $("verdict");
  for (const tone of ["go", "care", "stop", "wait"]) panel.classList.toggle(`verdict--${tone}`, tone === view.tone);
  panel.dataset.scan = shown.id;
  panel.dataset.state = shown.state;
  panel.querySelector(".verdict__symbol use").setAttribute("href", `${source.dataset.icons}#i-${view.symbol}`);
  for (const part of ["word", "other", "name", "line", "type", "note"]) write($(`verdict-${part}`), view[part]);
  $("verdict-lines").replaceChildren(
    ...view.lines.map((line) => Object.assign(document.createElement("p"), { className: "verdict__detail", textContent: line })),
  );
  $("verdict-retry").hidden = !["unsent", "busy"].includes(shown.state);
  $("verdict-signin").hidden = shown.state !== "signin";
  $("verdict-next").hidden = shown.state === "asking";
}

function write(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

function dismiss() {
  $("verdict").hidden = true;
  $("main").classList.remove("scanner--said");
  clearTimeout(shrinking);
  shown = null;
}

// --- the checkpoint ----------------------------------------------------------------------------------------------

function choose(id) {
  const found = data.checkpoints.find((one) => one.id === Number(id));
  if (!found) return false;
  checkpoint = found;
  keep(`checkpoint.${data.slug}`, String(found.id));
  setDirection("entry");
  counted = null;
  say();
  showCounts();
  countsSoon();
  return true;
}

function setDirection(to) {
  direction = checkpoint?.scans_exits ? to : "entry";
  $("direction").hidden = !checkpoint?.scans_exits;
  for (const one of ["entry", "exit"]) $(`direction-${one}`).setAttribute("aria-pressed", String(one === direction));
}

let counted = null;
let countsTimer = 0;

function countsSoon() {
  clearTimeout(countsTimer);
  countsTimer = setTimeout(readCounts, 400);
}

async function readCounts() {
  clearTimeout(countsTimer);
  countsTimer = setTimeout(readCounts, COUNTS_EVERY_MS);
  if (!checkpoint || document.hidden) return;
  const asked = checkpoint.id;
  try {
    const found = await ask(data.api.counts.replace("/0/", `/${asked}/`));
    if (asked === checkpoint.id) counted = found;
  } catch {
    return; // the figures of before stand
  }
  showCounts();
}

function showCounts() {
  const figure = (id, value) => {
    $(id).hidden = value === null || value === undefined;
    $(id).querySelector("b").textContent = value ?? "";
  };
  figure("count-entries", counted?.entries ?? (checkpoint ? 0 : null));
  figure("count-inside", counted?.inside);
  const waiting = $("count-waiting");
  waiting.hidden = queue.length < 2 && !["unsent", "busy", "signin"].includes(shown?.state);
  waiting.querySelector("b").textContent = queue.length;
  if (!queue.length) waiting.hidden = true;
}

// --- languages ---------------------------------------------------------------------------------------------------

function say() {
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = strings()[element.dataset.t];
  for (const element of document.querySelectorAll("[data-name]")) {
    element.textContent = verdicts.inLocale(JSON.parse(element.dataset.name), locale);
  }
  $("place").textContent = checkpoint ? verdicts.inLocale(checkpoint.name, locale) : strings().choose;
  for (const link of document.querySelectorAll("#drawer-choose [data-checkpoint]")) {
    if (Number(link.dataset.checkpoint) === checkpoint?.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  paint();
}

function switchLanguage() {
  locale = verdicts.otherLocale(locale);
  say();
  // The next page should speak it, too; if this does not arrive, nothing is lost.
  const body = new URLSearchParams({ lang: locale, next: location.pathname });
  fetch(data.language, { method: "POST", body, redirect: "manual" }).catch(() => {});
}

// --- drawers -----------------------------------------------------------------------------------------------------

function openDrawer(name) {
  for (const other of document.querySelectorAll("dialog[open]")) other.close();
  $(`drawer-${name}`).showModal();
  if (name === "recent") showRecent();
}

function showRecent() {
  $("recent-none").hidden = recent.length > 0;
  $("recent-list").replaceChildren(
    ...recent.map(({ at, make }) => {
      const view = make();
      const row = document.createElement("li");
      row.className = "row";
      const title = Object.assign(document.createElement("p"), { className: "row__title", textContent: view.name || view.word });
      const meta = Object.assign(document.createElement("p"), { className: "row__meta" });
      meta.append(...[verdicts.clock(at, locale, data.time_zone), view.type, view.lines[0]].filter(Boolean).map((text) => Object.assign(document.createElement("span"), { textContent: text })));
      const side = Object.assign(document.createElement("p"), { className: "row__side" });
      const state = Object.assign(document.createElement("span"), { className: `state state--${view.tone}`, textContent: view.word });
      side.append(state);
      row.append(title, meta, side);
      return row;
    }),
  );
}

let searching = 0;

async function search() {
  const text = $("search-text").value.trim();
  const round = ++searching;
  const list = $("search-list");
  $("search-none").hidden = true;
  if (text.length < 2) {
    list.replaceChildren();
    return;
  }
  let people;
  try {
    ({ people } = await ask(`${data.api.people}?q=${encodeURIComponent(text)}`));
  } catch {
    if (round === searching) write($("search-none"), strings().search_failed);
    return;
  }
  if (round !== searching) return;
  write($("search-none"), people.length ? "" : strings().search_none);
  list.replaceChildren(...people.map(person));
}

function person(found) {
  const row = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "found" });
  const line = (className, text) => Object.assign(document.createElement("span"), { className, textContent: text });
  const digits = found.phone_last4 ? `…${found.phone_last4}` : "";
  button.append(
    line("found__name", found.name),
    line("found__more", [found.line, verdicts.inLocale(found.ticket_type, locale), digits].filter(Boolean).join(" · ")),
  );
  if (found.status !== "valid") button.append(line("state state--stop", strings()[`status_${found.status}`]));
  button.addEventListener("click", () => {
    $("drawer-search").close();
    scan(found.short_code);
  });
  row.append(button);
  return row;
}

// --- camera ------------------------------------------------------------------------------------------------------

const sound = new Sound();
const awake = new Awake();
const camera = new Camera({
  video: $("video"),
  onCode: (text) => {
    if (!document.querySelector("dialog[open]")) scan(text, { isCamera: true });
  },
  onLost: (why) => stopped(why ?? ""),
});

/** The start tap came before a checkpoint was chosen: the choice goes on with it. */
let isStarting = false;

async function start() {
  sound.unlock();
  awake.hold();
  if (!checkpoint) {
    isStarting = true;
    openDrawer("choose");
    return;
  }
  isStarting = false;
  if (Camera.obstacle()) return;
  $("start").hidden = true;
  $("starting").hidden = false;
  try {
    await camera.start();
  } catch (error) {
    stopped(error.why ?? "in_use");
    return;
  }
  $("starting").hidden = true;
  $("frame").hidden = false;
  $("hint").hidden = false;
  $("torch").hidden = !camera.hasTorch;
  $("torch").setAttribute("aria-pressed", "false");
}

function stopped(why) {
  camera.stop();
  for (const id of ["starting", "frame", "hint", "torch"]) $(id).hidden = true;
  $("start").hidden = false;
  obstacle(why);
}

/** Says why there is no camera and what works all the same. */
function obstacle(why) {
  $("obstacle").hidden = !why;
  if (why) {
    $("obstacle-why").dataset.t = `why_${why}`;
    $("obstacle-help").dataset.t = `help_${why}`;
    // A browser inside another application is told by what it lacks, never by its name.
    $("obstacle-browser").hidden = !["no_camera", "no_decoder"].includes(why);
    $("obstacle-copy").hidden = why === "in_use";
  }
  for (const element of document.querySelectorAll(".needs-camera")) {
    element.hidden = ["insecure", "no_camera", "no_decoder"].includes(why);
  }
  say();
}

// --- wiring ------------------------------------------------------------------------------------------------------

$("start-button").addEventListener("click", start);
$("verdict-retry").addEventListener("click", (event) => {
  event.stopPropagation();
  show(shown.id, "asking", () => verdicts.ofWaiting("asking", views()), false);
  queue.retry();
});
$("verdict-signin").addEventListener("click", (event) => event.stopPropagation());
$("verdict").addEventListener("click", () => {
  if (shown?.state !== "asking") dismiss();
});
$("language").addEventListener("click", switchLanguage);
$("sound").addEventListener("click", () => {
  sound.unlock();
  $("sound").setAttribute("aria-pressed", String(sound.toggle()));
});
$("sound").setAttribute("aria-pressed", String(sound.isOn));
$("torch").addEventListener("click", async () => {
  const on = $("torch").getAttribute("aria-pressed") !== "true";
  try {
    await camera.torch(on);
    $("torch").setAttribute("aria-pressed", String(on));
  } catch {
    $("torch").hidden = true;
  }
});
for (const one of ["entry", "exit"]) {
  $(`direction-${one}`).addEventListener("click", () => setDirection(one));
}
for (const button of document.querySelectorAll("[data-drawer]")) {
  button.addEventListener("click", () => openDrawer(button.dataset.drawer));
}
for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
for (const link of document.querySelectorAll("#drawer-choose [data-checkpoint]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    choose(link.dataset.checkpoint);
    $("drawer-choose").close();
    if (isStarting) start();
  });
}
$("type-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = $("type-text");
  if (!field.value.trim()) return;
  $("drawer-type").close();
  scan(field.value);
  field.value = "";
});
let searchTimer = 0;
$("search-text").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(search, 250);
});
$("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
$("obstacle-copy").addEventListener("click", async () => {
  const done = await copy(location.href);
  $("obstacle-copied").hidden = !done;
});

const reader = new TypedReader();
document.addEventListener(
  "keydown",
  (event) => {
    const code = reader.key(event);
    if (!code) return;
    // Whatever had the focus: Enter must press no button, and the code must stay in no field.
    event.preventDefault();
    event.stopPropagation();
    if (event.target instanceof HTMLInputElement) event.target.value = "";
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    scan(code);
  },
  true,
);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  awake.again();
  if (camera.stream && !camera.isLive) start();
  if (queue.length) queue.retry();
  readCounts();
});
globalThis.addEventListener("online", () => queue.retry());

const wanted = new URLSearchParams(location.search).get("at") ?? recall(`checkpoint.${data.slug}`);
if (!choose(wanted) && data.checkpoints.length === 1) choose(data.checkpoints[0].id);
obstacle(Camera.obstacle());
const left = recallWaiting(data.slug);
if (left.items.length) queue.restore(left.items, Date.now() - left.at);
readCounts();
document.documentElement.dataset.scanner = "ready";
