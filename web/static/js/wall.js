/** The wall in the lobby and a room's door: the server's page, kept current. Nobody is named here. */
import { Live } from "./live.js";
import { current, leaf, onAt } from "./screen.js";

const page = JSON.parse(document.getElementById("wall-data").textContent);
const { words } = page;
const numbers = new Intl.NumberFormat(page.locale);
const clockWords = new Intl.DateTimeFormat("en-GB", { timeZone: page.zone, hour: "2-digit", minute: "2-digit" });
const TURN_MS = 12_000;
const PROGRAMME_MS = 5 * 60_000;

let { sessions } = page;
let ahead = page.now - Date.now();
let seen = { mode: "off", fresh: Date.now() };
let turn = 0;

const now = () => Date.now() + ahead;
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
const cards = () => [...document.querySelectorAll("[data-room]")];

function put(target, text) {
  if (target && target.textContent !== text) target.textContent = text;
}

function show(rooms) {
  const own = page.room ? rooms.filter((room) => room.id === page.room) : rooms;
  const shown = new Map(cards().map((card) => [Number(card.dataset.room), card]));
  if (own.length !== shown.size || own.some((room) => !shown.has(room.id))) {
    location.reload(); // rooms were added or taken away; the server is there: it has just said so
    return;
  }
  for (const room of own) {
    const card = shown.get(room.id);
    const tone = room.state === 2 ? "closed" : page.tones[room.level];
    const level = card.querySelector('[data-of="level"]');
    put(level, `${page.signs[tone]} ${words[room.state === 2 ? "level_closed" : `level_${room.level}`]}`);
    for (const name of [...level.classList]) if (name.startsWith("level--")) level.classList.remove(name);
    level.classList.add(`level--${tone}`);
    if (card.classList.contains("wall__room")) card.className = `wall__room wall__room--${tone}`;
    const counted = room.count ? say(words[room.of], { n: numbers.format(room.count) }) : words.nobody;
    put(card.querySelector('[data-of="count"]'), counted);
  }
}

function showProgramme() {
  const seconds = Math.floor(now() / 1000);
  for (const card of cards()) {
    const on = onAt(sessions, Number(card.dataset.room), seconds);
    for (const [name, session, text, at] of [
      ["now", on.now, words.now_until, on.now?.to],
      ["then", on.then, words.then_at, on.then?.from],
    ]) {
      const target = card.querySelector(`[data-of="${name}"]`);
      const said = session && say(text, { title: session.title, time: clockWords.format(at * 1000) });
      put(target, said ?? target.dataset.empty ?? "");
    }
  }
}

/** More rooms than the screen holds take turns; a page that can be scrolled by a hand is left alone. */
function showLeaf() {
  const list = document.getElementById("rooms");
  if (!list || innerHeight < 1000) return;
  const all = cards();
  for (const card of all) card.hidden = false;
  const bottom = list.getBoundingClientRect().top + list.clientHeight;
  const high = Math.max(...all.map((card) => card.getBoundingClientRect().bottom));
  if (Math.max(bottom, high) <= innerHeight + 1) return;
  const fit = all.filter((card) => card.getBoundingClientRect().bottom <= innerHeight).length;
  const [from, to] = leaf(all.length, fit, turn);
  all.forEach((card, index) => {
    card.hidden = index < from || index >= to;
  });
}

/** Sessions may move: they are read anew from this page's own address; a server that is away changes nothing. */
async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const text = new DOMParser().parseFromString(await answer.text(), "text/html");
    sessions = JSON.parse(text.getElementById("wall-data").textContent).sessions;
    showProgramme();
  } catch {
    // asked again next time
  }
}

function tick() {
  put(document.getElementById("clock"), clockWords.format(now()));
  const state = current(seen, Date.now(), words);
  document.getElementById("state").dataset.live = state.state;
  put(document.getElementById("state-words"), state.words);
}

new Live({
  versions: { [page.topic]: page.version },
  transport: page.transport,
  onFrame: (_topic, rooms) => show(rooms),
  onClock: (by) => {
    ahead = by;
  },
  onState: (state) => {
    seen = state;
    tick();
  },
}).start();

setInterval(tick, 1000);
setInterval(showProgramme, 5_000);
setInterval(renew, PROGRAMME_MS);
setInterval(() => {
  turn += 1;
  showLeaf();
}, TURN_MS);
addEventListener("resize", showLeaf);
tick();
showProgramme();
showLeaf();
