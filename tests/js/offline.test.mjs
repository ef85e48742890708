import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { NOT_BELIEVED, Ages } from "../../web/static/js/scanner/ages.js";
import { decide, rowOf } from "../../web/static/js/scanner/doorman.js";
import { Network } from "../../web/static/js/scanner/network.js";
import { readCode } from "../../web/static/js/scanner/reading.js";
import { fromHex, pageDigest, secretsOf, toText, unseal } from "../../web/static/js/scanner/sealed.js";
import { MemoryShelf } from "../../web/static/js/scanner/shelf.js";
import { Snapshot } from "../../web/static/js/scanner/snapshot.js";

// Made by tests/offline_vectors.py out of the server's own rules.
const vectors = JSON.parse(readFileSync(new URL("./offline_vectors.json", import.meta.url)));
const salt = fromHex(vectors.salt);
const token = vectors.lines[0].code;

test("a code is read as the server reads it", () => {
  assert.ok(vectors.readings.length > 1000);
  for (const { text, ...read } of vectors.readings) assert.deepEqual(readCode(text), read, JSON.stringify(text));
});

test("a line opens for its own code alone", async () => {
  for (const { code, lookup, key, sealed, says } of vectors.lines) {
    const secrets = await secretsOf(code, salt);
    assert.equal(secrets.lookup, lookup);
    if (!says.members) assert.deepEqual(secrets.key, fromHex(key));
    assert.deepEqual(await unseal(secrets, sealed), says);
    const other = await secretsOf(`${code}x`, salt);
    await assert.rejects(unseal(other, sealed));
    await assert.rejects(unseal({ ...secrets, lookup: other.lookup }, sealed));
  }
  assert.equal(await pageDigest(vectors.page.lines), vectors.page.digest);
});

// --- the snapshot ------------------------------------------------------------------------------------------------

const gate = {
  id: 1,
  code: "north",
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
const world = {
  event: 1,
  time_zone: "Asia/Shanghai",
  day_starts_minute: 240,
  checkpoints: [gate],
  ticket_types: [{ id: 3, name: { en: "Speaker" }, door_note: { en: "Red lanyard" } }],
  places: { 1: { en: "North gate" }, 2: { en: "South gate" } },
};

async function page(lines, more = {}) {
  const digest = await pageDigest(lines);
  return { version: 9, salt: vectors.salt, since: 0, whole: true, count: lines.length, lines, digest, next: null, world, ...more };
}

function house(answers, shelf = new MemoryShelf()) {
  const asked = [];
  const state = { wall: 1_000_000 };
  const ask = async (url, headers) => {
    asked.push([url, headers["if-none-match"] ?? ""]);
    const next = answers.shift();
    if (!next || next instanceof Error) throw next ?? new Error("nobody asked for this");
    return next.status ? next : { status: 200, body: next, etag: `"${asked.length}"` };
  };
  const api = { snapshot: "/snapshot", snapshot_seen: "/seen" };
  const snapshot = new Snapshot({ ask, api, shelf, slug: "conf", wall: () => state.wall });
  return { snapshot, asked, shelf, state };
}

const [first, second] = vectors.page.lines;

test("the snapshot is there only after its last page, and the next page carries on", async () => {
  const { snapshot, asked } = house([await page([first], { next: first[0] }), await page([second])]);
  await snapshot.open();
  assert.equal(snapshot.state, "none");
  assert.equal((await snapshot.find(token)).line, null);
  await snapshot.refresh();
  assert.deepEqual(asked.map(([url]) => url), ["/snapshot?since=0", `/snapshot?since=0&after=${first[0]}`]);
  assert.equal(snapshot.state, "whole");
  const found = await snapshot.find(`https://x.example/p?token=${token.toUpperCase()}`);
  assert.equal(found.code, `~${first[0]}`);
  assert.equal(found.line.name, "林小满 Lín");
  assert.deepEqual(await snapshot.find("f".repeat(32)), { reading: "ok", code: "f".repeat(32), line: null });
});

test("a page that was cut is asked for again, and what stays cut changes nothing", async () => {
  const shelf = new MemoryShelf();
  const good = await page([first]);
  const { snapshot } = house([good], shelf);
  await snapshot.refresh();
  const cut = { ...(await page([first, second])), lines: [second] };
  const lost = new TypeError("Failed to fetch");
  const next = await page([second], { whole: false, since: 9, version: 10 });
  const later = house([cut, lost, await page([], { next: "x", whole: true }), cut, lost, { ...cut, count: 1 }, next], shelf);
  await later.snapshot.open();
  await assert.rejects(later.snapshot.refresh());
  assert.equal((await later.snapshot.find(token)).line.name, "林小满 Lín", "a whole that was cut half way drops nothing");
  assert.equal(later.snapshot.version, 9);
  await later.snapshot.refresh();
  assert.equal(later.snapshot.version, 10);
  assert.ok((await later.snapshot.find(vectors.lines[1].code)).line);
});

test("a delta adds and drops, nothing new is a 304, and a whole leaves nothing old", async () => {
  const { snapshot, asked } = house([
    await page([first]),
    await page([[first[0], ""], second], { whole: false, since: 9, version: 10 }),
    { status: 304 },
    await page([first], { version: 12 }),
  ]);
  await snapshot.refresh();
  await snapshot.refresh();
  assert.equal((await snapshot.find(token)).line, null);
  assert.ok((await snapshot.find(vectors.lines[1].code)).line);
  await snapshot.refresh();
  assert.deepEqual(asked.at(-1), ["/snapshot?since=10", '"2"']);
  await snapshot.refresh();
  assert.equal((await snapshot.find(vectors.lines[1].code)).line, null);
});

test("a snapshot under another salt is another snapshot", async () => {
  const other = "ff".repeat(32);
  const secrets = await secretsOf(token, fromHex(other));
  const { snapshot, asked } = house([
    await page([first]),
    { version: 5, more: false, scans: [[7, 5, "", 0, "entry", "2023-10-28T01:00:00Z", 1]] },
    await page([], { salt: other, whole: false, since: 9 }),
    await page([[secrets.lookup, "x"]], { salt: other }),
  ]);
  await snapshot.refresh();
  await snapshot.refreshSeen();
  assert.equal((await snapshot.here(7, 5, "")).inside, true);
  await snapshot.refresh();
  assert.equal(asked.at(-1)[0], "/snapshot?since=0");
  assert.equal((await snapshot.here(7, 5, "")).inside, false);
  await assert.rejects(snapshot.find(token), "what is no line of ours opens for nobody");
});

test("a phone that cannot keep it says so and keeps the old", async () => {
  const { snapshot, shelf } = house([await page([first]), await page([second], { version: 10 })]);
  await snapshot.refresh();
  shelf.change = async () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  await assert.rejects(snapshot.refresh(), { name: "QuotaExceededError" });
  assert.equal(snapshot.version, 9);
});

test("refused at once, a refusal is not asked three times", async () => {
  const { snapshot, asked } = house([{ status: 403, body: {} }]);
  await assert.rejects(snapshot.refresh(), { status: 403 });
  assert.equal(asked.length, 1);
});

test("refreshed long before the network went it is old", async () => {
  const { snapshot, state } = house([await page([first])]);
  await snapshot.refresh();
  state.wall += 4 * 60_000;
  await snapshot.heard();
  assert.equal(snapshot.state, "whole");
  state.wall += 60 * 60_000;
  assert.equal(snapshot.state, "whole", "time without network makes nothing older");
  await snapshot.heard();
  assert.equal(snapshot.state, "stale");
});

test("wiped is wiped", async () => {
  const { snapshot, shelf } = house([await page([first]), { version: 5, more: false, scans: [[7, 5, "", 0, "entry", "x", 1]] }]);
  await snapshot.refresh();
  await snapshot.refreshSeen();
  await snapshot.wipe();
  assert.deepEqual(await shelf.all("snapshot", ["conf"]), []);
  assert.equal(await shelf.get("meta", ["snapshot", "conf"]), undefined);
  assert.equal(snapshot.state, "none");
});

// --- deciding ----------------------------------------------------------------------------------------------------

const AT = Date.parse("2023-10-28T01:30:00Z");

async function door() {
  const { snapshot } = house([await page(vectors.page.lines)]);
  await snapshot.refresh();
  const show = async (text, more = {}) => {
    const found = await snapshot.find(text);
    const said = await decide({ snapshot, found, checkpoint: 1, direction: "entry", at: AT, ...more });
    if (said.row) await snapshot.saw([said.row]);
    return said;
  };
  return { snapshot, show };
}

test("somebody known is welcomed by name, and met again at the second scan", async () => {
  const { show } = await door();
  const { answer, local, row } = await show(token);
  assert.deepEqual([answer.verdict, answer.tone, local], ["admitted", "go", "admitted"]);
  assert.equal(answer.holder.name, "林小满 Lín");
  assert.deepEqual(answer.holder.door_note, { en: "Red lanyard" });
  assert.deepEqual(row, [7, 5, "2023-10-28", 0, "entry", "2023-10-28T01:30:00.000Z", 1]);
  const again = await show(token, { at: AT + 60_000 });
  assert.deepEqual([again.answer.verdict, again.answer.tone], ["already_here", "care"]);
  assert.deepEqual(again.answer.first, { at: "2023-10-28T01:30:00.000Z", checkpoint: { en: "North gate" } });
  const out = await show(token, { direction: "exit" });
  assert.deepEqual([out.answer.verdict, out.local], ["exit_recorded", "exit"]);
  assert.equal((await show(token)).answer.verdict, "admitted");
});

test("who came in at another lane before the network went is met here", async () => {
  const { snapshot, show } = await door();
  await snapshot.saw([[7, 5, "2023-10-28", 0, "entry", "2023-10-28T01:00:00Z", 2]]);
  const { answer } = await show(token);
  assert.equal(answer.verdict, "already_here");
  assert.deepEqual(answer.first.checkpoint, { en: "South gate" });
});

test("who came after the list was made is amber, and what is no code is red", async () => {
  const { show } = await door();
  const unknown = await show("e".repeat(32));
  assert.deepEqual([unknown.answer.verdict, unknown.answer.tone, unknown.local], ["unknown_yet", "care", "unknown_yet"]);
  assert.equal(unknown.answer.holder, null);
  const none = await show("\u0007");
  assert.deepEqual([none.answer.verdict, none.local], ["malformed", "refused"]);
  assert.equal((await show(token, { checkpoint: 99 }).catch((error) => error.name)), "TypeError", "not our checkpoint");
});

test("a room's door knows its session from the clock, and what was said by hand", async () => {
  const room = {
    ...gate,
    id: 4,
    list_id: 6,
    kind: "session",
    once: "session",
    lead_minutes: 15,
    slots: [
      { guid: "talk-1", starts_at: "2023-10-28T01:00:00Z", ends_at: "2023-10-28T01:40:00Z" },
      { guid: "talk-2", starts_at: "2023-10-28T02:00:00Z", ends_at: "2023-10-28T02:40:00Z" },
    ],
    held: null,
  };
  const answers = (version, more = {}) => page(vectors.page.lines, { version, world: { ...world, checkpoints: [gate, { ...room, ...more }] } });
  const said = { state: "full", since: "2023-10-28T02:10:00Z", until: "2023-10-28T02:40:00Z" };
  const { snapshot } = house([await answers(9), await answers(10, { held: said }), await answers(11, { held: { ...said, state: "closed", until: null } })]);
  await snapshot.refresh();
  const show = async (at) => {
    const found = await snapshot.find(token);
    const judged = await decide({ snapshot, found, checkpoint: 4, direction: "entry", at: Date.parse(at) });
    if (judged.row) await snapshot.saw([judged.row]);
    return [judged.answer.verdict, judged.answer.tone, judged.local, judged.row?.[2] ?? ""];
  };
  assert.deepEqual(await show("2023-10-28T01:30:00Z"), ["admitted", "go", "admitted", "talk-1"]);
  assert.deepEqual(await show("2023-10-28T01:39:59Z"), ["already_here", "care", "admitted", ""]);
  assert.deepEqual(await show("2023-10-28T01:44:59Z"), ["admitted", "go", "admitted", "2023-10-28"], "between sessions");
  assert.deepEqual(await show("2023-10-28T01:45:00Z"), ["admitted", "go", "admitted", "talk-2"]);
  await snapshot.saw([[7, 6, "talk-2", 0, "exit", "2023-10-28T02:05:00Z", 4]]);

  await snapshot.refresh();
  assert.deepEqual(await show("2023-10-28T02:20:00Z"), ["full", "care", "admitted", "talk-2"], "let in on sight");
  assert.equal((await show("2023-10-28T02:21:00Z"))[0], "already_here");
  await snapshot.refresh();
  assert.deepEqual((await show("2023-10-28T02:50:00Z")).slice(0, 3), ["closed", "stop", "refused"]);
});

test("an answer of the server is remembered once, for when the network goes", () => {
  const answer = { verdict: "admitted", at: "2023-10-28T01:30:00Z", holder: { passport_id: 7 } };
  const never = { closings: 0, inside: false };
  const row = rowOf({ world, answer, checkpoint: 1, here: never });
  assert.deepEqual(row.slice(0, 5), [7, 5, "2023-10-28", 0, "entry"]);
  assert.equal(rowOf({ world, answer, checkpoint: 1, here: { closings: 0, inside: true } }), null);
  assert.equal(rowOf({ world, answer: { ...answer, verdict: "full" }, checkpoint: 1, here: never }), null);
  assert.equal(rowOf({ world, answer, checkpoint: 9, here: never }), null);
  assert.equal(rowOf({ world: null, answer, checkpoint: 1, here: never }), null);
});

// --- the network -------------------------------------------------------------------------------------------------

function air(answers = []) {
  const state = { now: 0, timers: [], told: [], tried: 0 };
  const network = new Network({
    try_: async () => {
      state.tried += 1;
      const next = answers.length ? answers.shift() : false;
      if (next instanceof Error) throw next;
      return next;
    },
    now: () => state.now,
    later: (ms, work) => {
      const timer = { at: state.now + ms, work };
      state.timers.push(timer);
      return () => (state.timers = state.timers.filter((one) => one !== timer));
    },
    tell: (isOffline) => state.told.push([state.now, isOffline]),
    random: () => 1,
  });
  const settle = async () => {
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  };
  const pass = async (ms) => {
    const end = state.now + ms;
    for (;;) {
      const [next] = state.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      state.timers = state.timers.filter((timer) => timer !== next);
      state.now = next.at;
      next.work();
      await settle();
    }
    state.now = end;
  };
  return { network, state, pass };
}

test("one bad answer in five is a hiccup, two are the end of the network", () => {
  const { network, state } = air();
  for (const good of [true, false, true, true, true, true, false, true, true, true]) network.note(good, 100);
  assert.equal(network.isOffline, false);
  network.note(false);
  assert.deepEqual(state.told, [[0, true]]);
  network.note(false);
  assert.equal(state.told.length, 1);
});

test("slow answers are as bad as none", () => {
  const { network } = air();
  network.note(true, 9000);
  network.note(true, 2900);
  assert.equal(network.isOffline, false);
  network.note(true, 3100);
  assert.equal(network.isOffline, true);
});

test("it comes back by itself after two good trials, and trials grow rare meanwhile", async () => {
  const { network, state, pass } = air([false, new Error("gone"), false, true, false, true, true]);
  network.lost();
  await pass(2000 + 4000 + 8000);
  assert.equal(state.tried, 3);
  await pass(15000 + 1000);
  assert.equal(state.tried, 5, "one good trial is not yet the network");
  assert.equal(network.isOffline, true);
  await pass(60000);
  assert.equal(network.isOffline, false);
  assert.equal(state.tried, 7);
  assert.deepEqual(state.told.map(([, isOffline]) => isOffline), [true, false]);
  assert.deepEqual(state.timers, []);
});

test("a hint of the browser is tried at once", async () => {
  const { network, state, pass } = air([false, false, true, true]);
  network.perhaps();
  assert.equal(state.tried, 0);
  network.lost();
  await pass(2000 + 4000);
  network.perhaps();
  await pass(1000);
  assert.deepEqual([state.tried, network.isOffline], [4, false]);
});

// --- ages --------------------------------------------------------------------------------------------------------

function clocks() {
  const state = { now: 0, wall: 5_000_000 };
  const ages = new Ages({ now: () => state.now, wall: () => state.wall });
  const pass = (ms) => {
    state.now += ms;
    state.wall += ms;
  };
  const reload = (awayMs) => {
    state.now = 17;
    state.wall += awayMs;
    return new Ages({ now: () => state.now, wall: () => state.wall });
  };
  return { state, ages, pass, reload };
}

test("within a page its own clock counts, whatever is done to the phone's", () => {
  const { state, ages, pass } = clocks();
  const item = ages.born();
  pass(4000);
  state.wall -= 999_999;
  assert.equal(ages.of(item), 4000);
});

test("an age goes on through a reload, and no page makes anything younger", () => {
  const { ages, pass, reload } = clocks();
  const item = ages.born();
  pass(4000);
  const kept = ages.kept(item);
  const after = reload(60_000);
  assert.equal(after.of(after.restored(kept)), 64_000);
});

test("a clock that went back is believed by nobody", () => {
  const { ages, pass, reload } = clocks();
  const item = ages.born();
  pass(4000);
  const kept = ages.kept(item);
  const after = reload(-60_000);
  assert.equal(after.of(after.restored(kept)), NOT_BELIEVED);
});

test("a clock that was set while the page was away is noticed when the server says the time", () => {
  const { state, ages, pass, reload } = clocks();
  const offset = 3_000_000;
  ages.heard(state.wall - offset);
  const item = ages.born();
  pass(1000);
  const kept = ages.kept(item);
  const after = reload(7_200_000);
  const restored = after.restored(kept);
  assert.equal(after.of(restored), 7_201_000, "nothing was heard yet");
  after.heard(state.wall - offset + 2000);
  assert.equal(after.of(restored), 7_201_000);
  after.heard(state.wall - offset - 3_600_000);
  assert.equal(after.of(restored), NOT_BELIEVED, "an hour came from nowhere");
  assert.equal(after.of(after.born()), 0, "a scan of this page needs nobody's clock");
});

test("bytes become text and text bytes", () => {
  assert.equal(toText(new Uint8Array([251, 255, 254])), "-__-");
});
