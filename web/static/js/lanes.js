/** Lanes: how fast each is, kept current from the board's topic. */
import { alerts, lane } from "./alerts.js";
import { Live } from "./live.js";
import { rehearsal } from "./rehearsal.js";
import { current } from "./screen.js";

const page = JSON.parse(document.getElementById("lanes-data").textContent);
const { words } = page;
const numbers = new Intl.NumberFormat(page.locale);
const clockWords = new Intl.DateTimeFormat("en-GB", {
  timeZone: page.zone,
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const SVG = "http://www.w3.org/2000/svg";
const gates = new Set(page.gates);

let board = page.document;
let ahead = page.now - Date.now();
let seen = { mode: "off", fresh: Date.now() };
let gone = false;

const now = () => Date.now() + ahead;
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

function put(target, text) {
  if (target && target.textContent !== text) target.textContent = text;
}

/** The same words as `_ago` in checkin/screens.py. */
function ago(seconds) {
  if (seconds === null) return words.never;
  if (seconds < 100) return say(words.ago_s, { n: seconds });
  if (seconds < 6000) return say(words.ago_min, { n: Math.floor(seconds / 60) });
  return say(words.ago_h, { n: Math.floor(seconds / 3600) });
}

function bars(target, steps) {
  const said = steps.join(" ");
  if (target.dataset.steps === said) return;
  target.dataset.steps = said;
  const most = Math.max(1, ...steps);
  target.replaceChildren(
    ...steps.flatMap((value, index) => {
      if (!value) return [];
      const bar = document.createElementNS(SVG, "rect");
      const height = Math.floor((100 * value) / most);
      for (const [name, one] of Object.entries({ x: index, y: 100 - height, width: 0.8, height })) {
        bar.setAttribute(name, String(one));
      }
      return [bar];
    }),
  );
}

function show() {
  const seconds = Math.floor(now() / 1000);
  const warned = new Set(alerts(board, gates, seconds).map(([kind, subject]) => `${kind} ${subject}`));
  const states = new Map(board.checkpoints.map((row) => [row[0], row.at(-1)]));
  const items = new Map([...document.querySelectorAll("[data-lane]")].map((item) => [Number(item.dataset.lane), item]));
  if (board.lanes.length !== items.size || board.lanes.some(([id]) => !items.has(id))) {
    renew();
  }
  for (const row of board.lanes) {
    const item = items.get(row[0]);
    if (!item) continue;
    const one = lane(row, board.starts, seconds);
    const tone = warned.has(`refusals ${row[0]}`) ? "stop" : warned.has(`silent ${row[0]}`) ? "care" : "";
    item.className = tone ? `lane lane--${tone}` : "lane";
    const of = (name) => item.querySelector(`[data-of="${name}"]`);
    put(of("state"), [words.open, words.full, words.closed][states.get(row[0]) ?? 2]);
    put(of("rate"), numbers.format(one.rate));
    put(of("last"), ago(one.ago));
    put(of("share"), one.scans ? say(words.share, { percent: one.refusedPercent }) : "");
    bars(item.querySelector("svg"), one.steps);
  }
}

/** Another lane is in use: the page is fetched anew, but never in a circle. */
function renew() {
  const last = Number(sessionStorage.getItem("lanes-renewed") ?? 0);
  if (Date.now() - last < 30_000) return;
  sessionStorage.setItem("lanes-renewed", String(Date.now()));
  location.reload();
}

function tick() {
  put(document.getElementById("clock"), clockWords.format(now()));
  const state = current(seen, Date.now(), words);
  document.getElementById("state").dataset.live = gone ? "off" : state.state;
  put(document.getElementById("state-words"), state.words);
  show();
}

new Live({
  versions: { [page.topic]: page.version },
  transport: page.transport,
  onFrame: (_topic, document_) => {
    board = document_;
    rehearsal(board.rehearsal === null ? null : board.rehearsal * 1000);
    show();
  },
  onClock: (by) => {
    ahead = by;
  },
  onState: (state) => {
    seen = state;
  },
  onGone: () => {
    gone = true;
  },
}).start();

setInterval(tick, 1000);
tick();
