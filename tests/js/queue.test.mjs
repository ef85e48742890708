import assert from "node:assert/strict";
import { test } from "node:test";

import { LIMIT, Queue, Repeats, newId, outcome } from "../../web/static/js/scanner/queue.js";
import { TypedReader } from "../../web/static/js/scanner/reader.js";

/** A world where time passes only when told to, and the server answers what the test says. */
function world(answers = []) {
  const state = { now: 0, timers: [], sent: [], told: [], kept: [], inFlight: 0, most: 0 };
  const queue = new Queue({
    now: () => state.now,
    later: (ms, work) => {
      const timer = { at: state.now + ms, work };
      state.timers.push(timer);
      return () => (state.timers = state.timers.filter((one) => one !== timer));
    },
    post: async (item) => {
      state.inFlight += 1;
      state.most = Math.max(state.most, state.inFlight);
      state.sent.push({ id: item.scanId, age: queue.age(item) });
      await Promise.resolve();
      state.inFlight -= 1;
      const next = answers.length ? answers.shift() : outcome(200, { verdict: "admitted" });
      if (next instanceof Error) throw next;
      return next;
    },
    tell: (event, item, extra) => state.told.push([event, item.scanId, extra]),
    keep: (items) => (state.kept = items),
  });
  const settle = async () => {
    for (let i = 0; i < 50; i += 1) await Promise.resolve();
  };
  const pass = async (ms) => {
    const end = state.now + ms;
    for (;;) {
      await settle();
      const [next] = state.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      state.timers = state.timers.filter((timer) => timer !== next);
      state.now = next.at;
      next.work();
    }
    state.now = end;
    await settle();
  };
  return { state, queue, settle, pass };
}
const scan = (scanId) => ({ scanId, code: scanId, checkpoint: 1, direction: "entry" });
const events = (state, ...names) => state.told.filter(([event]) => names.includes(event)).map(([event, id]) => `${event} ${id}`);
const gone = () => new TypeError("Failed to fetch");

test("one upload in flight, in order", async () => {
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
  assert.deepEqual(state.sent.map(({ id }) => id), ["a", "a", "a", "a", "b"]);
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
    { id: "a", age: 3000 },
    { id: "b", age: 2500 },
  ]);
});

test("a lost sign-in stops, keeps everything, and goes on after it was renewed", async () => {
  const { state, queue, pass } = world([outcome(401, { code: "sign_in_needed" })]);
  queue.add(scan("a"));
  queue.add(scan("b"));
  await pass(600000);
  assert.equal(state.sent.length, 1);
  assert.deepEqual(events(state, "signin"), ["signin a"]);
  assert.deepEqual(state.kept.map(({ scanId }) => scanId), ["a", "b"]);
  queue.retry();
  await pass(0);
  assert.deepEqual(events(state, "done"), ["done a", "done b"]);
  assert.deepEqual(state.kept, []);
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
  const { state, queue, settle } = world();
  queue.restore([{ ...scan("old"), ageMs: 4000 }], 60000);
  queue.add(scan("new"));
  await settle();
  assert.deepEqual(state.sent, [
    { id: "old", age: 64000 },
    { id: "new", age: 0 },
  ]);
});

test("a clock set back makes nothing younger", async () => {
  const { state, queue, settle } = world();
  queue.restore([{ ...scan("old"), ageMs: 4000 }], -999999);
  await settle();
  assert.deepEqual(state.sent, [{ id: "old", age: 4000 }]);
});

test("a full queue takes no more and loses none", async () => {
  const { queue } = world(Array.from({ length: LIMIT + 5 }, gone));
  for (let i = 0; i < LIMIT; i += 1) assert.equal(queue.add(scan(`s${i}`)), true);
  assert.equal(queue.add(scan("one too many")), false);
  assert.equal(queue.length, LIMIT);
});

test("outcomes: only the server's word is final", () => {
  assert.equal(outcome(200, { verdict: "unknown" }).kind, "done");
  for (const status of [408, 425, 429, 500, 502, 503, 504]) assert.equal(outcome(status, null).kind, "again", String(status));
  for (const status of [400, 403, 404, 409, 413, 422]) assert.equal(outcome(status, null).kind, "refused", String(status));
  assert.equal(outcome(401, null).kind, "signin");
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
