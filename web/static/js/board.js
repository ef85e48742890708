/**
 * The live board: the server rendered it, this keeps it moving.
 *
 * One document in, figures, bars, the latest scans and the chart out. Names and words came with the page; when a frame
 * speaks of checkpoints that the page has no words for (its `layout` differs), the page is fetched anew.
 */
import { Sound, alerts, fresh, level } from "./alerts.js";
import { rehearsal } from "./rehearsal.js";
import { Chart } from "./chart.js";
import { Live, age } from "./live.js";

const page = JSON.parse(document.getElementById("board-data").textContent);
const words = page.words;
const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat(page.locale);
const clockWords = new Intl.DateTimeFormat("en-GB", {
  timeZone: page.zone,
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const minuteWords = new Intl.DateTimeFormat("en-GB", { timeZone: page.zone, hour: "2-digit", minute: "2-digit" });
const CLOSED = 2;
const FULL = 1;
const OUTDATED_MS = 5_000;
const RELOAD_REST_MS = 30_000;

let board = page.document;
let ahead = page.now - Date.now(); // the server's clock, by which everything here is said
let seen = { mode: "off", fresh: Date.now() };
let gone = false;

const now = () => Date.now() + ahead;
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
const count = (value) => numbers.format(value);
const percent = (part, whole) => (whole ? Math.floor((100 * part) / whole) : 0);

function element(name, className, ...inside) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...inside);
  return made;
}

/** Sets text only where it differs, so that nothing is read out or painted twice. */
function put(target, text) {
  if (target && target.textContent !== String(text)) target.textContent = text;
}

const figure = (name, text) => put(document.querySelector(`[data-figure="${name}"]`), text);

// --- figures

/** Admissions by minute, counted from the day's start. */
function minutes() {
  const { from, entries, refused } = board.minutes;
  return {
    entries: (slot) => entries[slot - from] ?? 0,
    refused: (slot) => refused[slot - from] ?? 0,
    current: Math.floor((now() / 1000 - board.starts) / 60),
  };
}

function showFigures() {
  const rows = board.checkpoints;
  const refused = rows.reduce((sum, row) => sum + row[4], 0);
  const total = rows.reduce((sum, row) => sum + row[1] + row[3] + row[4], 0);
  figure("arrived", count(board.arrived));
  figure(
    "arrived-beside",
    say(words.of_registered, { percent: percent(board.arrived, board.registered), n: count(board.registered) }),
  );
  figure("still-expected", say(words.still_expected, { n: count(Math.max(0, board.registered - board.arrived)) }));
  const meter = $("arrived-meter");
  meter.max = Math.max(1, board.registered);
  meter.value = Math.min(board.arrived, meter.max);
  if (board.inside !== null) figure("inside", count(board.inside));
  figure("refused", count(refused));
  figure("refused-beside", say(words.of_scans, { percent: percent(refused, total), n: count(total) }));
  $("chart-empty").hidden = total > 0;
}

function showRate() {
  const { entries, current } = minutes();
  let ten = 0;
  for (let back = 0; back < 10; back += 1) ten += entries(current - back);
  figure("per-minute", count(Math.max(entries(current), entries(current - 1))));
  figure("per-minute-beside", say(words.in_ten, { n: count(ten) }));
}

/** The address of the scans behind a number. */
function scans(values) {
  const address = new URL(page.scans, location.origin);
  for (const [name, value] of Object.entries(values)) address.searchParams.set(name, value);
  return address.pathname + address.search;
}

function link(className, words_, values) {
  const made = element("a", className, words_);
  made.href = scans(values);
  return made;
}

function tenLink(seconds) {
  const time = minuteWords.format(seconds * 1000);
  return link("", time, { time, minutes: 10 });
}

function showTable() {
  const { entries, refused, current } = minutes();
  const last = Math.floor(current / 10);
  const body = document.querySelector("[data-ten]")?.parentElement;
  if (!body) return;
  const rows = [];
  for (let ten = last; ten > last - 12 && ten >= 0; ten -= 1) {
    let [admitted, not] = [0, 0];
    for (let one = ten * 10; one < ten * 10 + 10; one += 1) {
      admitted += entries(one);
      not += refused(one);
    }
    const row = element("tr", "");
    row.dataset.ten = "";
    row.append(
      element("td", "", tenLink(board.starts + ten * 600)),
      element("td", "num", count(admitted)),
      element("td", "num", count(not)),
    );
    rows.push(row);
  }
  if (body.textContent.replace(/\s/g, "") !== rows.map((row) => row.textContent).join("").replace(/\s/g, "")) {
    body.replaceChildren(...rows);
  }
}

// --- checkpoints

/** The same words and limits as `_line` in checkin/board.py. */
function lineOf([id, entries, exits, repeats, refused, inside, capacity, state], most) {
  const line = { id, value: entries, most, main: count(entries), tone: "", bits: [] };
  if (capacity && inside !== null) {
    Object.assign(line, { value: inside, most: capacity, main: say(words.percent, { n: percent(inside, capacity) }) });
    line.tone = page.tones[level(state, inside, capacity)];
    line.bits.push(say(words.of_capacity, { n: count(inside), m: count(capacity) }));
  } else if (inside !== null && !page.checkpoints[id]?.[2]) {
    line.bits.push(say(words.inside, { n: count(inside) }));
  }
  for (const [key, value] of Object.entries({ exits, repeats, refused })) {
    if (value) line.bits.push(say(words[key], { n: count(value) }));
  }
  if (state === FULL) line.bits.unshift(words.full);
  if (state === CLOSED) {
    line.bits.unshift(words.closed);
    line.tone = "closed";
  }
  return line;
}

/** The same words and limits as `_room_line` in checkin/board.py. */
function roomOf([id, inside, capacity, state, of]) {
  const reached = level(state, inside, capacity);
  const line = { id, value: capacity ? inside : 0, most: capacity || 1, tone: page.tones[reached] };
  line.main = capacity ? say(words.percent, { n: percent(inside, capacity) }) : count(inside);
  line.bits = capacity
    ? [say(words.of_capacity, { n: count(inside), m: count(capacity) })]
    : [say({ inside: words.inside, counted: words.counted }[of] ?? words.came_in, { n: count(inside) })];
  if (state === FULL) line.bits.unshift(words.full);
  else if (state === CLOSED) {
    line.bits.unshift(words.closed);
    line.tone = "closed";
  } else if (reached) line.bits.unshift(words[`level_${reached}`]);
  return line;
}

function showLine(item, line) {
  if (!item) return;
  item.className = line.tone ? `bar bar--${line.tone}` : "bar";
  const meter = item.querySelector("meter");
  meter.max = line.most;
  meter.value = Math.min(line.value, line.most);
  put(item.querySelector(".bar__words"), line.main);
  put(item.querySelector(".bar__more"), line.bits.join(" · "));
}

function showRooms() {
  for (const row of board.rooms) showLine(document.querySelector(`[data-room="${row[0]}"]`), roomOf(row));
}

function showCheckpoints() {
  for (const gates of [true, false]) {
    const rows = board.checkpoints.filter(([id]) => (page.checkpoints[id]?.[1] === "gate") === gates);
    const most = Math.max(1, ...rows.map((row) => row[1]));
    for (const row of rows) {
      const line = lineOf(row, most);
      showLine(document.querySelector(`[data-checkpoint="${line.id}"]`), line);
    }
  }
}

// --- latest, reasons

let newest = board.latest[0]?.id ?? 0;

function glance(scan) {
  const [verdict, tone] = page.verdicts[scan.verdict] ?? [scan.verdict, "plain"];
  const where = page.checkpoints[scan.checkpoint]?.[0] ?? "";
  const type = page.types[scan.type] ?? "";
  const who = page.names ? (scan.name ?? words.unknown) : type;
  const about = page.names && type ? `${where} · ${type}` : where;
  const time = element("time", "", minuteWords.format(scan.at * 1000));
  time.dateTime = new Date(scan.at * 1000).toISOString();
  const said = element("span", "latest__words", element("b", "", who), " ", element("span", "latest__about", about));
  const item = element("li", `latest__one latest__one--${tone}`, time, said);
  item.append(element("span", `state state--${tone}`, verdict));
  if (scan.id > newest) item.classList.add("is-new");
  return item;
}

function showLatest() {
  $("latest").replaceChildren(...board.latest.map(glance));
  $("latest-empty").hidden = board.latest.length > 0;
  newest = board.latest[0]?.id ?? newest;
}

function showReasons() {
  const reasons = Object.entries(board.reasons.counts).sort((one, other) => other[1] - one[1]);
  const most = Math.max(1, ...reasons.map(([, n]) => n));
  $("reasons").replaceChildren(
    ...reasons.map(([code, n]) => {
      const name = page.verdicts[code]?.[0] ?? code;
      const meter = element("meter", "bar__meter");
      Object.assign(meter, { min: 0, max: most, value: n });
      meter.setAttribute("aria-label", name);
      const item = element("li", "bar bar--one-line", link("bar__label", name, { what: code }));
      item.append(element("span", "bar__words num", count(n)), meter);
      item.dataset.reason = code;
      return item;
    }),
  );
  $("reasons-empty").hidden = reasons.length > 0;
}

// --- alerts

const gates = new Set(
  Object.entries(page.checkpoints).flatMap(([id, about]) => (about[1] === "gate" ? [Number(id)] : [])),
);
const sound = new Sound();
let warned = alerts(board, gates, Math.floor(now() / 1000));

/** Where an alert leads: the scans behind it, or the page of conflicts. */
function behind(kind, subject) {
  if (kind === "conflicts") return page.conflicts;
  if (kind === "devices") return page.devices;
  if (kind === "room_full") return scans({ place: subject });
  return scans(kind === "refusals" ? { checkpoint: subject, what: "all:refused", last: 10 } : { checkpoint: subject });
}

/** How many conflicts there are, beside the way to them. */
function showConflicts() {
  $("conflicts-open").hidden = !board.conflicts.open;
  put($("conflicts-open"), count(board.conflicts.open));
}

function showAlerts() {
  showConflicts();
  const found = alerts(board, gates, Math.floor(now() / 1000));
  if (fresh(warned, found).length) sound.play();
  warned = found;
  const list = $("alerts");
  const said = found.map(([kind, subject, n]) => {
    const name = kind === "room_full" ? page.places[subject] : page.checkpoints[subject]?.[0];
    return [say(words[kind], { name: name ?? "", n: count(n) }), behind(kind, subject)];
  });
  list.hidden = said.length === 0;
  const items = [...list.children];
  if (items.length === said.length && items.every((item, index) => item.textContent.trim() === said[index][0])) return;
  const icon = $("alert-icon").content;
  list.replaceChildren(
    ...said.map(([text, href]) => {
      const item = element("a", "", "");
      item.href = href;
      item.append(icon.cloneNode(true), element("span", "", text));
      return element("li", "", item);
    }),
  );
}

$("sound").hidden = !(globalThis.AudioContext ?? globalThis.webkitAudioContext);
$("sound").addEventListener("click", () => {
  const on = sound.toggle();
  $("sound").setAttribute("aria-pressed", String(on));
  put($("sound-words"), on ? words.sound_on : words.sound_off);
  for (const one of document.querySelectorAll("[data-sound]")) one.hidden = (one.dataset.sound === "on") !== on;
});

// --- the chart

const chart = new Chart({
  target: $("chart"),
  plain: $("chart-plain"),
  read: $("chart-read"),
  words,
  say,
  minute: (seconds) => minuteWords.format(seconds * 1000),
});
let span = "minutes";

function showChart() {
  chart.show(board, span, now() / 1000);
}

for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => {
    span = button.dataset.span;
    // The day's series counts admissions only.
    document.querySelector(".legend__dot").hidden = span === "day";
    for (const one of document.querySelectorAll("[data-span]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    showChart();
  });
}
$("chart-spans").hidden = false;

// --- how current it is

function tell() {
  const old = Date.now() - seen.fresh;
  const lost = seen.mode === "off" && old > OUTDATED_MS;
  const state = lost ? (old > 60_000 || gone ? "off" : "late") : "on";
  $("state").dataset.live = state;
  put($("state-words"), lost ? age(old, words) : seen.mode === "poll" ? words.polling : words.live);
  $("stale").hidden = !(gone || (lost && old > 30_000));
  if (gone) {
    put($("stale-words"), words.gone);
  } else if (lost) {
    // A time that stands still: an alert is read out again with every change.
    put($("stale-words"), say(words.stale, { time: clockWords.format(seen.fresh + ahead) }));
  }
}

function tick() {
  put($("clock"), clockWords.format(now()));
  tell();
}

/** Fetches the page anew where its fixed words are old, but never in a circle. */
function renew() {
  const last = Number(sessionStorage.getItem("board-renewed") ?? 0);
  if (Date.now() - last < RELOAD_REST_MS) return;
  sessionStorage.setItem("board-renewed", String(Date.now()));
  location.reload();
}

function show(document_) {
  const other = document_.layout !== board.layout || document_.date !== board.date;
  const shape = (document_.inside === null) !== (board.inside === null);
  board = document_;
  showFigures();
  showRate();
  showTable();
  showCheckpoints();
  showRooms();
  showAlerts();
  showLatest();
  showReasons();
  showChart();
  rehearsal(board.rehearsal === null ? null : board.rehearsal * 1000);
  if (other || shape) renew();
}

new Live({
  versions: { [page.topic]: page.version },
  transport: page.transport,
  onFrame: (_topic, data) => show(data),
  onClock: (by) => {
    ahead = by;
  },
  onState: (state) => {
    seen = state;
    tell();
  },
  onGone: () => {
    gone = true;
    tell();
  },
}).start();

setInterval(tick, 1000);
setInterval(() => {
  showRate();
  showTable();
  showAlerts();
  showChart();
}, 10_000);
tick();
showChart();
