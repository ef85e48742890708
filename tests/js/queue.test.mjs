import assert from "node:assert/strict";
import { test } from "node:test";

import { Ages } from "../../web/static/js/scanner/ages.js";
import { BATCH, LIMIT, LIMIT_IN_MEMORY, Queue, Repeats, newId, outcome, outcomeOf } from "../../web/static/js/scanner/queue.js";
import { MemoryShelf } from "../../web/static/js/scanner/shelf.js";
import { TypedReader } from "../../web/static/js/scanner/reader.js";

/** A phone's storage, which outlives its pages. */
class Storage extends MemoryShelf {
  isLasting = true;
}

/** A world where time passes only when told to, and the server answers what the test says: one for all, or a list. */
function world(answers = [], { shelf = new Storage(), wall = 0, random = () => 1 } = {}) {
  const state = { now: 0, wall, timers: [], sent: [], told: [], inFlight: 0, most: 0, shelf };
  const ages = new Ages({ now: () => state.now, wall: () => state.wall });
  const queue = new Queue({
    ages,
    shelf,
    slug: "conf",
    random,
    later: (ms, work) => {
      const timer = { at: state.now + ms, work };
      state.timers.push(timer);
      return () => (state.timers = state.timers.filter((one) => one !== timer));
    },
    post: async (items) => {
      state.inFlight += 1;
      state.most = Math.max(state.most, state.inFlight);
      state.sent.push(...items.map((item) => ({ id: item.scanId, age: ages.of(item) })));
      await Promise.resolve();
      state.inFlight -= 1;
      const next = answers.length ? answers.shift() : outcome(200, { verdict: "admitted" });
      if (next instanceof Error) throw next;
      if (Array.isArray(next)) return next;
      return next.kind === "done" || next.kind === "refused" ? items.map(() => next) : next;
    },
    tell: (event, item, extra) => state.told.push([event, item.scanId, extra]),
  });
  const settle = async () => {
    for (let i = 0; i < 50; i += 1) await Promise.resolve();
  };
  const pass = async (ms) => {
    const end = state.now + ms;
    const go = (to) => {
      state.wall += to - state.now;
      state.now = to;
    };
    for (;;) {
      await settle();
      const [next] = state.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      state.timers = state.timers.filter((timer) => timer !== next);
      go(next.at);
      next.work();
    }
    go(end);
    await settle();
  };
  const kept = async () => (await shelf.all("queue", ["conf"])).map(([, value]) => value.scanId);
  return { state, queue, settle, pass, kept };
}
const scan = (scanId) => ({ scanId, code: scanId, checkpoint: 1, direction: "entry" });
const events = (state, ...names) => state.told.filter(([event]) => names.includes(event)).map(([event, id]) => `${event} ${id}`);
const gone = () => new TypeError("Failed to fetch");

test("one upload in flight, in order, and what waited goes together", async () => {
  const { state, queue, settle } = world();
  for (const id of ["a", "b", "c"]) queue.add(scan(id));
  await settle();
  assert.deepEqual(state.sent.map(({ id }) => id), ["a", "b", "c"]);
  assert.equal(state.most, 1);
  assert.equal(queue.length, 0);
  assert.deepEqual(events(state, "done"), ["done a", "done b", "done c"]);
});

test("a lost connection sends the same id again, later ones wait behind it", async () => {
  const { state, queue, pass } = world([gone(), gone(), gone()]);
  queue.add(scan("a"));
  queue.add(scan("b"));
  await pass(0);
  assert.deepEqual(events(state, "unsent"), ["unsent a"]);
  await pass(60000);
  assert.deepEqual(state.sent.map(({ id }) => id), ["a", "a", "b", "a", "b", "a", "b"]);
  assert.deepEqual(events(state, "done"), ["done a", "done b"]);
  assert.equal(state.timers.length, 0);
});

test("back-off grows and is bounded, and a person may try at once", async () => {
  const { state, queue, pass } = world(Array.from({ length: 9 }, gone));
  queue.add(scan("a"));
  await pass(1000 + 2000 + 4000 + 8000 + 15000 + 15000);
  assert.equal(state.sent.length, 7);
  queue.retry();
  await pass(0);
  assert.equal(state.sent.length, 8);
  assert.equal(state.timers.length, 1);
  await pass(1000);
  assert.equal(state.sent.length, 9, "after a person's try the waits begin anew");
});

test("a try while one is under way sends nothing twice", async () => {
  const { state, queue, settle } = world();
  queue.add(scan("a"));
  queue.retry();
  queue.retry();
  await settle();
  assert.equal(state.sent.length, 1);
});

test("busy waits as long as the server asks", async () => {
  const { state, queue, pass } = world([outcome(503, { code: "busy" }, "7")]);
  queue.add(scan("a"));
  await pass(6900);
  assert.deepEqual(events(state, "busy", "done"), ["busy a"]);
  await pass(200);
  assert.deepEqual(events(state, "busy", "done"), ["busy a", "done a"]);
});

test("the age is what has passed on this device since the code was read", async () => {
  const { state, queue, pass } = world([gone(), gone()]);
  queue.add(scan("a"));
  await pass(500);
  queue.add(scan("b"));
  await pass(10000);
  assert.deepEqual(state.sent, [
    { id: "a", age: 0 },
    { id: "a", age: 1000 },
    { id: "b", age: 500 },
    { id: "a", age: 3000 },
    { id: "b", age: 2500 },
  ]);
});

test("a lost sign-in stops, keeps everything, and goes on after it was renewed", async () => {
  const { state, queue, pass, kept } = world([outcome(401, { code: "sign_in_needed" })]);
  queue.add(scan("a"));
  queue.add(scan("b"));
  await pass(600000);
  assert.equal(state.sent.length, 1);
  assert.deepEqual(events(state, "signin"), ["signin a"]);
  assert.deepEqual(await kept(), ["a", "b"]);
  queue.retry();
  await pass(0);
  assert.deepEqual(events(state, "done"), ["done a", "done b"]);
  assert.deepEqual(await kept(), []);
});

test("a request that is refused is said and makes room for the next", async () => {
  const { state, queue, settle } = world([outcome(403, { code: "checkpoint_not_yours", title: "Not yours" })]);
  queue.add(scan("a"));
  queue.add(scan("b"));
  await settle();
  assert.deepEqual(state.told.find(([event]) => event === "refused"), [
    "refused",
    "a",
    { status: 403, code: "checkpoint_not_yours", title: "Not yours" },
  ]);
  assert.deepEqual(events(state, "done"), ["done b"]);
});

test("what another page left goes first and gets no younger", async () => {
  const before = world(Array.from({ length: 9 }, gone));
  before.queue.add(scan("old"));
  before.queue.add(scan("older than new"));
  await before.pass(4000);
  assert.deepEqual(await before.kept(), ["old", "older than new"]);
  const { state, queue, settle, kept } = world([], { shelf: before.state.shelf, wall: before.state.wall + 60000 });
  // The person in front does not wait until the phone has remembered.
  queue.pause();
  queue.add(scan("new"));
  assert.equal(await queue.restore(), 2);
  assert.deepEqual(await kept(), ["old", "older than new", "new"]);
  queue.retry();
  await settle();
  assert.deepEqual(state.sent.map(({ id }) => id), ["old", "older than new", "new"]);
  assert.ok(state.sent[0].age >= 60000 && state.sent[2].age === 0, JSON.stringify(state.sent));
  assert.deepEqual(await kept(), []);
});

test("killed after every write, a page leaves each scan once", async () => {
  const shelf = new Storage();
  for (let life = 0; life < 4; life += 1) {
    const { queue, settle } = world([gone()], { shelf });
    await queue.restore();
    queue.pause();
    await queue.add(scan(`life ${life}`)).kept;
    await settle();
  }
  const { state, queue, settle } = world([], { shelf });
  await queue.restore();
  await settle();
  assert.deepEqual(state.sent.map(({ id }) => id), ["life 0", "life 1", "life 2", "life 3"]);
});

test("what was told is kept with the scan and sent with it", async () => {
  const { state, queue } = world();
  queue.pause();
  const item = queue.add(scan("a"));
  assert.equal(await item.kept, true);
  assert.equal("local" in queue.body(item), false);
  await queue.note(item, { local: "admitted" });
  assert.equal(queue.body(item).local, "admitted");
  const [[, value]] = await state.shelf.all("queue", ["conf"]);
  assert.equal(value.local, "admitted");
});

test("a clock set back makes nothing younger: it is believed by nobody", async () => {
  const before = world();
  before.queue.pause();
  await before.queue.add(scan("old")).kept;
  const { state, queue, settle } = world([], { shelf: before.state.shelf, wall: -999999 });
  await queue.restore();
  await settle();
  assert.deepEqual(state.sent, [{ id: "old", age: -1 }]);
});

test("of a batch each entry has its own outcome, and busy ones stay", async () => {
  const done = outcomeOf({ ok: true, verdict: "admitted" });
  const { state, queue, pass } = world([
    gone(),
    [done, outcomeOf({ ok: false, retry: true }), outcomeOf({ ok: false, code: "scan_malformed", title: "No" })],
  ]);
  for (const id of ["a", "b", "c"]) queue.add(scan(id));
  await pass(1000);
  assert.deepEqual(events(state, "done", "refused", "busy"), ["done a", "refused c", "busy b"]);
  assert.equal(queue.length, 1);
  await pass(1000);
  assert.deepEqual(events(state, "done"), ["done a", "done b"]);
});

test("many go in several uploads, one after the other", async () => {
  const { state, queue, pass } = world([gone()]);
  for (let i = 0; i < BATCH * 2 + 3; i += 1) queue.add(scan(`s${i}`));
  await pass(5000);
  assert.equal(state.most, 1);
  assert.equal(queue.length, 0);
  assert.deepEqual(state.told.filter(([event]) => event === "done").map(([, id]) => id), Array.from({ length: BATCH * 2 + 3 }, (_, i) => `s${i}`));
});

test("a full queue takes no more and loses none", async () => {
  const { queue } = world(Array.from({ length: LIMIT + 5 }, gone));
  queue.pause();
  for (let i = 0; i < LIMIT; i += 1) assert.ok(queue.add(scan(`s${i}`)));
  assert.equal(queue.add(scan("one too many")), null);
  assert.equal(queue.length, LIMIT);
});

test("where nothing can be kept only a few are taken", async () => {
  const { queue } = world([gone()], { shelf: new MemoryShelf() });
  queue.pause();
  for (let i = 0; i < LIMIT_IN_MEMORY; i += 1) assert.equal(await queue.add(scan(`s${i}`)).kept, false);
  assert.equal(queue.add(scan("one too many")), null);
});

test("a phone that is full says so, keeps in memory what it can, and refuses beyond a bound", async () => {
  const shelf = new Storage();
  const { state, queue, settle } = world([], { shelf });
  queue.pause();
  const write = shelf.change;
  shelf.change = async () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  for (let i = 0; i < LIMIT_IN_MEMORY; i += 1) assert.equal(await queue.add(scan(`s${i}`)).kept, false);
  assert.equal(queue.add(scan("one too many")), null);
  assert.deepEqual(events(state, "unkept").length, LIMIT_IN_MEMORY);
  shelf.change = write;
  queue.retry();
  await settle();
  await settle();
  assert.equal(queue.length, 0, "what stood in memory was sent like any other");
  assert.equal(queue.hasRoom, true);
});

test("a device that is over stops and says why", async () => {
  const { state, queue, pass } = world([outcome(401, { code: "device_revoked" })]);
  queue.add(scan("a"));
  await pass(60000);
  assert.deepEqual(state.told.filter(([event]) => event === "over"), [["over", "a", "device_revoked"]]);
  assert.equal(queue.length, 1);
  await queue.wipe();
  assert.deepEqual([queue.length, (await state.shelf.all("queue", ["conf"])).length], [0, 0]);
});

test("paused it is quiet, whatever happens meanwhile", async () => {
  const { state, queue, pass } = world([gone()]);
  queue.add(scan("a"));
  await pass(0);
  queue.pause();
  queue.add(scan("b"));
  await pass(600000);
  assert.equal(state.sent.length, 1);
  queue.retry();
  await pass(0);
  assert.deepEqual(events(state, "done"), ["done a", "done b"]);
});

test("waits are spread, so that phones do not come back together", async () => {
  const { state, queue, pass } = world([gone(), gone()], { random: () => 0.25 });
  queue.add(scan("a"));
  await pass(0);
  assert.deepEqual(state.timers.map(({ at }) => at), [250]);
  await pass(250);
  assert.deepEqual(state.timers.map(({ at }) => at), [750]);
});

test("outcomes: only the server's word is final", () => {
  assert.equal(outcome(200, { verdict: "unknown" }).kind, "done");
  for (const status of [408, 425, 429, 500, 502, 503, 504]) assert.equal(outcome(status, null).kind, "again", String(status));
  for (const status of [400, 403, 404, 409, 413, 422]) assert.equal(outcome(status, null).kind, "refused", String(status));
  assert.equal(outcome(401, null).kind, "signin");
  assert.deepEqual(outcome(401, { code: "device_expired" }), { kind: "over", why: "device_expired" });
  assert.equal(outcome(429, null, "3").waitMs, 3000);
  assert.equal(outcome(503, null, "Wed, 21 Oct 2015 07:28:00 GMT").waitMs, 0);
});

test("the same code within five seconds repeats, each sight starts them anew", () => {
  let now = 0;
  const repeats = new Repeats({ now: () => now });
  assert.equal(repeats.look("a"), null);
  repeats.remember("a", 1);
  for (now = 100; now <= 20000; now += 100) assert.deepEqual(repeats.look("a"), { id: 1, isBack: false });
  now += 2000;
  assert.deepEqual(repeats.look("a"), { id: 1, isBack: true });
  assert.equal(repeats.look("b"), null);
  now += 5000;
  assert.equal(repeats.look("a"), null);
});

test("a scan that still waits is found, one that was decided is not", async () => {
  const { queue, pass } = world([gone()]);
  queue.add(scan("a"));
  await pass(0);
  assert.equal(queue.find((item) => item.code === "a").scanId, "a");
  await pass(2000);
  assert.equal(queue.find((item) => item.code === "a"), undefined);
});

test("ids are version 4 UUIDs with and without randomUUID", () => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const old = { getRandomValues: (bytes) => globalThis.crypto.getRandomValues(bytes) };
  for (let i = 0; i < 200; i += 1) {
    assert.match(newId(), shape);
    assert.match(newId(old), shape);
  }
  assert.notEqual(newId(old), newId(old));
});

function typing(text, everyMs) {
  let now = 0;
  const reader = new TypedReader();
  for (const key of text) {
    now += everyMs;
    reader.key({ key, timeStamp: now });
  }
  now += everyMs;
  return { enter: () => reader.key({ key: "Enter", timeStamp: now }), wait: (ms) => (now += ms) };
}

test("a reader's burst with Enter is a code", () => {
  assert.equal(typing("https://h.example/p?token=0123456789abcdef", 8).enter(), "https://h.example/p?token=0123456789abcdef");
  assert.equal(typing("7KQ2M9XD", 60).enter(), "7KQ2M9XD");
});

test("a person's typing is none, nor is a burst that ended long ago, nor a short one", () => {
  assert.equal(typing("hello world", 180).enter(), null);
  assert.equal(typing("abc", 5).enter(), null);
  const late = typing("7KQ2M9XD", 5);
  late.wait(500);
  assert.equal(late.enter(), null);
});

test("what a hand typed before the burst is not part of it, and Shift is no character", () => {
  let now = 0;
  const reader = new TypedReader();
  const press = (key, more = {}) => reader.key({ key, timeStamp: now, ...more });
  press("x");
  now += 1000;
  for (const key of "7KQ2M9XD") {
    now += 5;
    press("Shift");
    press(key);
  }
  now += 5;
  assert.equal(press("Enter"), "7KQ2M9XD");
  assert.equal(press("Enter"), null);
  assert.equal(press("v", { ctrlKey: true }), null);
});
