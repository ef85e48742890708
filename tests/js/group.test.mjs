/** A leader's group at the door while the network is away: the phone's own list, and one ordinary scan for each. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Group } from "../../web/static/js/scanner/group.js";
import { newId } from "../../web/static/js/scanner/queue.js";
import { MARK, pageDigest, secretsOf, toText } from "../../web/static/js/scanner/sealed.js";
import { Station } from "../../web/static/js/scanner/station.js";
import { ofAnswer, ofLocal, ofWaiting } from "../../web/static/js/scanner/verdict.js";

const SALT = Uint8Array.from({ length: 32 }, (_, index) => index);
const [LEADER, BOB, CARL, DORA] = ["a", "b", "c", "d"].map((letter) => letter.repeat(32));
const GROUP = { lookup: "g".repeat(22), key: toText(new Uint8Array(32).fill(7)) };
const gate = {
  id: 1,
  name: { en: "North gate" },
  kind: "gate",
  list_id: 5,
  on_repeat: "warn",
  once: "day",
  is_open: true,
  scans_exits: true,
  windows: [],
  ticket_types: [],
  capacity: null,
  session_guid: "",
};
const world = { event: 1, time_zone: "Asia/Shanghai", day_starts_minute: 240, checkpoints: [gate], ticket_types: [{ id: 3, name: { en: "Team" }, door_note: {} }], places: { 1: gate.name } };
const strings = new Proxy({ group_here: "%(here)s of %(total)s", group_done: "%(admitted)s of %(ticked)s", group_admit: "Let %(count)s in" }, { get: (words, key) => words[key] ?? key });

async function sealed({ lookup, key }, said) {
  const text = (value) => new TextEncoder().encode(value);
  const iv = globalThis.crypto.getRandomValues(new Uint8Array(12));
  const own = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const raw = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: text(lookup) }, own, text(JSON.stringify(said)));
  return [lookup, toText(new Uint8Array([...iv, ...new Uint8Array(raw)]))];
}

/** The leader's code opens the list; of the others nobody's code is ever shown. */
async function lines() {
  const people = [
    [LEADER, { passport: 10, type: 3, status: "valid", name: "Lea", line: "" }],
    [BOB, { passport: 11, type: 3, status: "valid", name: "Bob", line: "", badge: { number: 217, box: "C" }, notice: { text: { en: "See the desk" }, attention: true } }],
    [CARL, { passport: 12, type: 3, status: "revoked", name: "Carl", line: "" }],
    [DORA, { passport: 13, type: 3, status: "valid", name: "Dora", line: "" }],
  ];
  const members = await Promise.all(people.map(async ([code, said]) => ({ lookup: (await secretsOf(code, SALT)).lookup, ...said })));
  return Promise.all([
    ...people.map(async ([code, said]) => sealed(await secretsOf(code, SALT), code === LEADER ? { ...said, group: GROUP } : said)),
    sealed({ lookup: GROUP.lookup, key: new Uint8Array(32).fill(7) }, { name: "Datawhale", members }),
  ]);
}

class Element {
  children = [];
  textContent = "";
  hidden = false;
  #heard = new Map();

  addEventListener(event, work) {
    this.#heard.set(event, work);
  }

  append(...children) {
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.children = children;
  }

  fire(event) {
    return this.#heard.get(event)();
  }
}

async function phone(t) {
  // Nothing here waits for the time to pass.
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const elements = new Map();
  const $ = (id) => elements.get(id) ?? elements.set(id, new Element()).get(id);
  globalThis.document = { getElementById: $, createElement: () => new Element(), hidden: false };
  const page = await lines();
  const server = { isDown: false, posted: [], answers: {} };
  server.answers["/snapshot?since=0"] = { version: 9, salt: Buffer.from(SALT).toString("hex"), since: 0, whole: true, count: page.length, lines: page, digest: await pageDigest(page), next: null, world };
  t.mock.method(globalThis, "fetch", async (url, init = {}) => {
    if (server.isDown) throw new TypeError("away");
    if (init.method === "POST") server.posted.push([url, JSON.parse(init.body)]);
    const body = typeof server.answers[url] === "function" ? server.answers[url](JSON.parse(init.body)) : server.answers[url];
    return new Response(JSON.stringify(body ?? {}), { status: body ? 200 : 404, headers: { "content-type": "application/json" } });
  });
  const api = { scans: "/scans", batch: "/batch", snapshot: "/snapshot", snapshot_seen: "/seen", conflicts: "/conflicts", names: "/names", group: "/group", arrival: "/arrival" };
  const views = () => ({ locale: "en", timeZone: "UTC", strings, otherStrings: strings });
  const told = [];
  const views_of = {
    local: (answer) => ofLocal(answer, views()),
    done: (answer) => ofAnswer({ words: {}, help: {}, ...answer }, views()),
    unsent: () => ofWaiting("unsent", views()),
  };
  const station = new Station({
    data: { slug: "conf", api, health: "/health", build: "1" },
    tell: (event, item, extra) => {
      told.push([event, item?.scanId]);
      if (views_of[event] && !(event === "done" && item.local)) item.listed?.(views_of[event](extra));
    },
  });
  await station.start();
  await station.refresh();
  const played = [];
  const group = new Group({ data: { api }, views, newId, station, fetch: (url, init) => station.fetch(url, init), checkpoint: () => gate, open: () => {}, play: (tone) => played.push(tone), scanned: () => {} });
  const show = async (code) => {
    const found = await station.find(code);
    await new Promise((done) => station.take({ scanId: newId(), found, key: code, checkpoint: 1, direction: "entry", listed: done }));
  };
  const rows = () => $("group-list").children.map((row) => {
    const [box, name, ...more] = row.children[0].children;
    const state = more.find(({ className }) => /^(state|soft)/.test(className ?? ""));
    return [name.textContent, box.checked, state?.className ?? "", state?.textContent ?? ""];
  });
  return { station, server, group, $, show, rows, played, told };
}

test("without a network the leader's code opens the list, and everybody ticked is one scan that waits", async (t) => {
  const { station, server, group, $, show, rows, played, told } = await phone(t);
  station.browserSaid(false);
  server.isDown = true;
  await show(LEADER);
  await group.open(10);
  assert.equal($("group-name").textContent, "Datawhale · 1 of 4 · offline_mark");
  assert.deepEqual(rows().map(([name, isTicked]) => [name, isTicked]), [["Lea", false], ["Bob", true], ["Carl", false], ["Dora", true]]);
  assert.match(rows()[0][3], /^here \d\d:\d\d$/, "the phone let the leader in itself");
  assert.deepEqual(rows()[2].slice(2), ["state state--care", "status_revoked"]);

  const [, , about, notice] = $("group-list").children[1].children[0].children.map(({ textContent }) => textContent);
  assert.deepEqual([about, notice], ["Team · box · 217", "attention: See the desk"], "badge and note as with a network");

  group.choose([11, 12]);
  await group.admit();
  assert.deepEqual(rows()[1].slice(2), ["state state--go", "verdict_admitted"]);
  assert.deepEqual(rows()[2].slice(2), ["state state--stop", "verdict_revoked"]);
  assert.equal(rows()[3][2], "", "Dora was not ticked");
  assert.deepEqual([$("group-trouble").textContent, played], ["1 of 2", ["care"]]);
  assert.equal($("group-name").textContent, "Datawhale · 2 of 4 · offline_mark");

  const waiting = station.queue.items.slice(1).map((item) => station.queue.body(item));
  const lookups = await Promise.all([BOB, CARL].map(async (code) => MARK + (await secretsOf(code, SALT)).lookup));
  assert.deepEqual(waiting.map(({ code, checkpoint, direction, local }) => [code, checkpoint, direction, local]), [
    [lookups[0], 1, "entry", "admitted"],
    [lookups[1], 1, "entry", "refused"],
  ]);
  assert.equal(new Set(station.queue.items.map(({ scanId }) => scanId)).size, 3);
  assert.deepEqual((await station.shelf.all("queue", ["conf"])).map(([, { local }]) => local), ["admitted", "admitted", "refused"], "kept before it was said");
  assert.equal(told.filter(([event]) => event === "local").length, 3);

  // Opened again it knows who came; nobody is ticked twice, and whoever ticks them is told.
  await group.open(10);
  assert.deepEqual(rows().map(([, isTicked]) => isTicked), [false, false, false, true]);
  group.choose([11]);
  await group.admit();
  assert.deepEqual([rows()[1].slice(2), $("group-trouble").textContent], [["state state--care", "verdict_already_here"], "0 of 1"]);
});

test("when the network is back they arrive as any scans do", async (t) => {
  const { station, server, group, show } = await phone(t);
  station.browserSaid(false);
  await show(LEADER);
  await group.open(10);
  await group.admit();
  const ids = station.queue.items.map(({ scanId }) => scanId);
  assert.equal(ids.length, 3);
  const arrived = new Promise((done) => {
    server.answers["/batch"] = ({ scans }) => {
      done(scans);
      return { results: scans.map(() => ({ ok: true, verdict: "admitted", tone: "go", at: "2023-10-28T01:30:00Z" })) };
    };
  });
  station.retry();
  station.queue.retry();
  assert.deepEqual((await arrived).map(({ scan_id }) => scan_id), ids);
});

test("a list that nobody's code opened on this phone stays shut, also after its end", async (t) => {
  const { station, group, $, show } = await phone(t);
  station.browserSaid(false);
  await show(BOB);
  await group.open(10);
  assert.deepEqual([$("group-trouble").textContent, $("group-list").children], ["group_failed", []]);
  await show(LEADER);
  assert.equal((await station.group(10, 1)).people.length, 4);
  assert.equal(await station.group(10, 99), null, "not our checkpoint");
  await station.snapshot.wipe();
  assert.equal(await station.group(10, 1), null);
});

test("a request that is not heard is the phone's own to decide; one that is refused is not", async (t) => {
  const { station, server, group, $, show, rows } = await phone(t);
  server.answers["/scans"] = { verdict: "admitted", tone: "go", at: new Date().toISOString(), holder: { passport_id: 10 } };
  await show(LEADER);
  const people = [10, 11].map((passport_id) => ({ passport_id, name: `N${passport_id}`, line: "", ticket_type: {}, status: "valid", here_since: null, short_code: "7KQ2M9XD" }));
  server.answers["/group?passport_id=10&at=1"] = { name: "Datawhale", people };
  await group.open(10);
  assert.equal($("group-name").textContent, "Datawhale · 0 of 2", "the server's list");
  group.choose([11]);
  await group.admit();
  assert.deepEqual([$("group-trouble").textContent, station.queue.length], ["group_failed", 0], "answered with 404");
  server.isDown = true;
  const admitting = group.admit();
  while (!station.isOffline && !station.queue.length) await new Promise((done) => setImmediate(done));
  await admitting;
  assert.deepEqual(rows()[1].slice(2), ["state state--go", "verdict_admitted"]);
  assert.equal(station.queue.find(({ local }) => local)?.code, MARK + (await secretsOf(BOB, SALT)).lookup);
});

test("everybody who finds no room is told so, and the button works again", async (t) => {
  const { station, group, $, show, rows } = await phone(t);
  station.browserSaid(false);
  await show(LEADER);
  await group.open(10);
  t.mock.method(station.queue, "add", () => null);
  await group.admit();
  assert.deepEqual(rows()[1].slice(2), ["state state--care", "full"]);
  assert.equal($("group-trouble").textContent, "0 of 2");
  group.choose([11]);
  assert.equal($("group-admit").disabled, false);
});
