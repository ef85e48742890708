/** The scanner page: the camera, readers and fingers on one side, the API on the other, the verdict between them. */
import { BadgeDesk } from "./badge_desk.js";
import { Camera } from "./camera.js";
import { Awake, Sound, copy, keep, recall } from "./device.js";
import { Installed } from "./installed.js";
import { OfflinePanel } from "./offline_panel.js";
import * as pairings from "./pairing_store.js";
import { Repeats, newId } from "./queue.js";
import { PersonTools } from "./person_tools.js";
import { TypedReader } from "./reader.js";
import { rehearsal, tried } from "../rehearsal.js";
import { Station } from "./station.js";
import * as verdicts from "./verdict.js";

const source = document.getElementById("scanner-data");
const data = JSON.parse(source.textContent);
const $ = (id) => document.getElementById(id);
const now = () => performance.now();

const FULL_SCREEN_MS = 2500;
const COUNTS_EVERY_MS = 15000;
const RECENT_LIMIT = 50;

// A paired phone's page is kept as it was made, so its language is remembered here.
let locale = (data.device && data.strings[recall("locale")] && recall("locale")) || data.locale;
let checkpoints = data.checkpoints;
let checkpoint = null;
let direction = "entry";
let shown = null; // {id, state, make}: the scan on the screen and how to say it again in another language
let shrinking = 0;
const recent = []; // the latest first: {id, at, view}
const settled = new Map(); // scan id -> how to say its verdict, for repeats within seconds

/** What was left on this phone comes first. */
let isReady = false;
let becomeReady = null;
const ready = new Promise((done) => (becomeReady = done));

const strings = (of = locale) => data.strings[of];
const views = () => ({
  locale,
  timeZone: data.time_zone,
  strings: strings(),
  otherStrings: strings(verdicts.otherLocale(locale)),
});

// --- the server --------------------------------------------------------------------------------------------------

async function ask(url) {
  const response = await station.fetch(url, { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

/** What the station tells, by name; a scan that was decided here is not said again unless the server sees it otherwise. */
const heard = {
  done(item, answer) {
    const make = () => verdicts.ofAnswer(answer, views());
    if (item.local) corrected(item.scanId, make, answer.at, Boolean(answer.conflict));
    else decided(item.scanId, make, answer.at, item.listed);
    if (!answer.replayed) tried(answer.rehearsal);
    countsSoon();
  },
  refused(item, problem) {
    decided(item.scanId, () => verdicts.ofProblem(problem, views()), new Date().toISOString(), item.listed);
  },
  local(item, answer) {
    decided(item.scanId, () => verdicts.ofLocal(answer, views()), answer.at, item.listed);
  },
  world(_, world) {
    setCheckpoints(world.checkpoints);
    offlinePanel.paint();
  },
  device(_, news) {
    data.overrule.checkpoints = news.device.is_lead ? news.device.checkpoints : [];
    setCheckpoints(news.checkpoints);
    installed.heard(news.app?.version);
    rehearsal(news.rehearsal ? Date.parse(news.rehearsal.ends_at) : null);
  },
  offline() {
    offlinePanel.paint();
    // Nobody knows the figures without a network.
    if (!station.isOffline) countsSoon();
  },
  conflicts: () => offlinePanel.paint(),
  problem: () => offlinePanel.paint(),
  over: (_, why) => offlinePanel.over(why),
  wiped: (_, left) => offlinePanel.wiped(left),
  sending() {},
  unkept() {},
};

function told(event, item, extra) {
  if (heard[event]) heard[event](item, extra);
  else if (event === "unsent" || event === "busy" || event === "signin") pending(event, item);
  showCounts();
}

/** Nothing is decided about the person in front: older scans wait with theirs. */
function pending(event, item) {
  const last = event === "signin" ? station.latest : item;
  if (!last || last.local) return;
  if (last.listed) {
    last.listed(verdicts.ofWaiting(event, views()));
    return;
  }
  const isNews = shown?.id !== last.scanId || shown.state !== event;
  show(last.scanId, event, () => verdicts.ofWaiting(event, views()), isNews);
  if (isNews) sound.play("care");
}

const repeats = new Repeats({ now });

/** What the tools beside the scan need of this page: a lead's word, groups, printing, badges, the lanes. */
const page = {
  data,
  views,
  newId,
  /** Every request goes this way, so that whatever a device has to add is added once. */
  fetch: (url, init) => station.fetch(url, init),
  get station() {
    return station;
  },
  checkpoint: () => checkpoint,
  direction: () => direction,
  say: (id, state, make, isNew) => show(id, state, make, isNew),
  decided: (id, make, at) => decided(id, make, at),
  play: (tone) => sound.play(tone),
  open: (name) => openDrawer(name),
  scanned: () => countsSoon(),
};
const personTools = new PersonTools(page);
const badgeDesk = new BadgeDesk(page);

// --- a scan ------------------------------------------------------------------------------------------------------

async function scan(code, { isCamera = false, known = null } = {}) {
  if (!isReady) await ready;
  const text = code.trim();
  if (!text || badgeDesk.takes(text)) return;
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
  const scanId = newId();
  // At once: the camera sees the same code again before anything was looked up.
  repeats.remember(key, scanId);
  const at = { checkpoint: checkpoint.id, direction };
  if (!station.isOffline) sayWaiting(scanId);
  const found = known ?? (await station.find(text));
  const own = `${at.checkpoint} ${at.direction} ${found.code}`;
  const waiting = station.queue.find((item) => item.key === own && !item.local);
  if (waiting) {
    // Shown again because nothing seemed to happen: it is on its way, a second scan would call it a repeat.
    repeats.remember(key, waiting.scanId);
    sayWaiting(waiting.scanId);
    station.retry();
    return;
  }
  if (!station.take({ scanId, found, key: own, ...at })) {
    settle(scanId, () => verdicts.ofWaiting("full", views()));
    show(scanId, "full", settled.get(scanId), true);
    sound.play("stop");
  }
  showCounts();
}

function sayWaiting(scanId) {
  const { trouble } = station.queue;
  show(scanId, trouble || "asking", () => verdicts.ofWaiting(trouble || "asking", views()), Boolean(trouble));
  if (trouble) sound.play("care");
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

/** A verdict is there: on the screen, unless a list that somebody looks at says it. */
function decided(id, make, at, listed = null) {
  const view = make();
  settle(id, make);
  recent.unshift({ id, at, make });
  recent.length = Math.min(recent.length, RECENT_LIMIT);
  if (listed) {
    listed(view);
    return;
  }
  show(id, "done", make, true);
  sound.play(view.tone);
}

/** What this phone said of itself is now said by the server: quietly, unless somebody has to look. */
function corrected(id, make, at, isConflict) {
  settle(id, make);
  const known = recent.find((one) => one.id === id);
  if (known) Object.assign(known, { at, make });
  if (isConflict) sound.play("stop");
  if (shown?.id === id && make().tone !== shown.make().tone) show(id, "done", make, false);
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
  for (const part of ["word", "other", "name", "line", "type", "badge", "note", "notice", "mark"]) write($(`verdict-${part}`), view[part] ?? "");
  $("verdict-lines").replaceChildren(
    ...view.lines.map((line) => Object.assign(document.createElement("p"), { className: "verdict__detail", textContent: line })),
  );
  panel.dataset.attention = view.attention ? "yes" : "no";
  const card = $("verdict-person");
  // The cards of single people are pages, which a paired phone may not open.
  card.hidden = !view.person || (data.device && !view.leadsGroup);
  if (view.person) {
    card.href = personHref(view.person, view.leadsGroup);
    card.textContent = view.leadsGroup ? strings().group : strings().person;
  }
  personTools.paint(view, shown);
  $("verdict-retry").hidden = !["unsent", "busy"].includes(shown.state) || station.isOffline;
  $("verdict-signin").hidden = shown.state !== "signin";
  $("verdict-next").hidden = shown.state === "asking";
}

/** The card of somebody, or the list of the group that they open, at the checkpoint chosen here. */
function personHref(passportId, isGroup = false) {
  const card = data.api.person.replace(/\/0$/, `/${passportId}`);
  return isGroup ? `${card}/group?at=${checkpoint?.id ?? ""}` : card;
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
  const found = checkpoints.find((one) => one.id === Number(id));
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

/** The checkpoints that are ours now; the one in use stays, in its newest form. */
function setCheckpoints(list) {
  checkpoints = list;
  const own = checkpoints.find(({ id }) => id === checkpoint?.id) ?? null;
  if (checkpoint && !own) dismiss();
  checkpoint = own;
  if (!checkpoint && checkpoints.length === 1) choose(checkpoints[0].id);
  else if (checkpoint) setDirection(direction);
  else if (!choose(recall(`checkpoint.${data.slug}`))) setDirection("entry");
  say();
}

function showChoices() {
  $("choose-none").hidden = checkpoints.length > 0;
  $("choose-list").replaceChildren(
    ...checkpoints.map((one) => {
      const link = Object.assign(document.createElement("a"), { className: "pick", href: `?at=${one.id}` });
      link.dataset.checkpoint = one.id;
      if (one.id === checkpoint?.id) link.setAttribute("aria-current", "true");
      link.append(Object.assign(document.createElement("b"), { textContent: verdicts.inLocale(one.name, locale) }));
      if (!one.is_open) link.append(Object.assign(document.createElement("span"), { className: "state state--stop", textContent: strings().closed }));
      const row = document.createElement("li");
      row.append(link);
      return row;
    }),
  );
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
  if (!checkpoint || document.hidden || station.isOffline) return;
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
  const { length, trouble } = station.queue ?? { length: 0, trouble: "" };
  // A single scan on its way is no news.
  waiting.hidden = !length || (length < 2 && !trouble && !station.isOffline);
  waiting.querySelector("b").textContent = length;
  installed.paint(length);
}

// --- languages ---------------------------------------------------------------------------------------------------

function say() {
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = strings()[element.dataset.t];
  for (const element of document.querySelectorAll("[data-name]")) {
    element.textContent = verdicts.inLocale(JSON.parse(element.dataset.name), locale);
  }
  $("place").textContent = checkpoint ? verdicts.inLocale(checkpoint.name, locale) : strings().choose;
  showChoices();
  offlinePanel.paint();
  installed.say();
  paint();
}

function switchLanguage() {
  locale = verdicts.otherLocale(locale);
  keep("locale", locale);
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
  if (name === "conflicts") offlinePanel.list();
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
  let people = null;
  if (!station.isOffline) {
    try {
      ({ people } = await ask(`${data.api.people}?q=${encodeURIComponent(text)}`));
    } catch {
      people = null; // perhaps this phone has the names itself
    }
  }
  const isAsked = Boolean(people);
  people ??= await station.searchNames(text);
  if (round !== searching) return;
  if (!people) {
    write($("search-none"), strings()[station.isOffline && !isAsked ? "search_offline" : "search_failed"]);
    list.replaceChildren();
    return;
  }
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
    line("found__more", [found.line, verdicts.inLocale(found.ticket_type, locale), digits, verdicts.badgeOf(found.badge, strings())].filter(Boolean).join(" · ")),
  );
  if (found.status !== "valid") button.append(line("state state--stop", strings()[`status_${found.status}`]));
  button.addEventListener("click", () => {
    $("drawer-search").close();
    scan(found.known?.code ?? found.short_code, { known: found.known });
  });
  row.append(button);
  if (found.group) {
    const link = Object.assign(document.createElement("a"), {
      className: "button button--secondary",
      href: personHref(found.passport_id, true),
      textContent: verdicts.fill(strings().group_of, { count: found.group.people }),
    });
    link.addEventListener("click", (event) => personTools.openGroup(found.passport_id, event));
    row.append(link);
  }
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
  station.retry();
});
$("verdict-person").addEventListener("click", (event) => event.stopPropagation());
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
$("choose-list").addEventListener("click", (event) => {
  const link = event.target.closest("[data-checkpoint]");
  if (!link) return;
  event.preventDefault();
  choose(link.dataset.checkpoint);
  $("drawer-choose").close();
  if (isStarting) start();
});
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
  if (document.hidden || !isReady) return;
  awake.again();
  if (camera.stream && !camera.isLive) start();
  station.retry();
  readCounts();
});
globalThis.addEventListener("online", () => isReady && station.browserSaid(true));
globalThis.addEventListener("offline", () => isReady && station.browserSaid(false));

/** Who this page is to the server: a paired phone by what the pairing left, else whoever is signed in. */
async function identity() {
  if (!data.device) return null;
  try {
    return await pairings.load(data.slug);
  } catch {
    return null;
  }
}

const station = new Station({ data, tell: told, identity });
const offlinePanel = new OfflinePanel({ station, data, views, write, open: openDrawer });
const installed = new Installed({ data, strings: () => strings() });
const wanted = new URLSearchParams(location.search).get("at") ?? recall(`checkpoint.${data.slug}`);
// What is known without asking anybody stands there at once.
if (!choose(wanted) && checkpoints.length === 1) choose(checkpoints[0].id);
obstacle(Camera.obstacle());
station.pairing = await identity();
if (data.device && !station.pairing) offlinePanel.unpaired();
else {
  await station.start();
  if (station.snapshot.world) setCheckpoints(station.snapshot.world.checkpoints);
  if (!checkpoint && !choose(wanted) && checkpoints.length === 1) choose(checkpoints[0].id);
  readCounts();
  installed.start();
  isReady = true;
  becomeReady();
}
document.documentElement.dataset.scanner = "ready";
