/** A morning at a print station, played in milliseconds; and where a phone sends a badge. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { stationOf, told } from "../../web/static/js/scanner/print.js";
import { BEAT_MS, Loop } from "../../web/static/js/station.js";

function desk({ answers = {}, print = async () => {} } = {}) {
  const asked = [];
  const told_ = [];
  const waits = [];
  const printed = [];
  let clock = 0;
  const queue = { waiting: 1, pause: "", is_open: true };
  const ok = (body) => ({ ok: true, status: 200, body });
  const loop = new Loop({
    ask: async (path, fields) => {
      asked.push([path, fields]);
      const answer = answers[path] ?? answers["*"];
      if (answer) return typeof answer === "function" ? answer(asked) : answer;
      if (path === "queue") return ok(queue);
      if (path === "take") return ok({ job: { id: 7, tries: 1 } });
      return ok({ state: "printed" });
    },
    print: async (job) => {
      printed.push(job.id);
      await print(job);
    },
    wait: async (ms) => {
      waits.push(ms);
      clock += ms;
    },
    now: () => clock,
    tell: (state) => told_.push(state),
    window: "w",
  });
  return { loop, asked, told: told_, waits, printed, queue, pass: (ms) => (clock += ms) };
}

test("a badge is taken, printed once and told", async () => {
  const one = desk();
  assert.equal(await one.loop.step(), 0);
  assert.deepEqual(one.asked, [["queue", undefined], ["take", { window: "w" }], ["jobs/7/done", { window: "w" }]]);
  assert.deepEqual([one.printed, one.told], [[7], ["printing"]]);
});

test("what the browser could not print is told as that", async () => {
  const one = desk({ print: () => Promise.reject(new Error("late")) });
  await one.loop.step();
  assert.deepEqual(one.asked.at(-1), ["jobs/7/done", { window: "w", failure: "browser" }]);
});

test("a badge that came out is told until it arrives, and printed once", async () => {
  let tries = 0;
  const one = desk({ answers: { "jobs/7/done": () => (++tries < 3 ? { ok: false, status: 0 } : { ok: true, status: 200, body: {} }) } });
  await one.loop.step();
  assert.deepEqual([one.printed, tries, one.told], [[7], 3, ["printing", "offline", "offline"]]);
});

test("another window has the job: nothing more to tell", async () => {
  const one = desk({ answers: { "jobs/7/done": { ok: false, status: 409 } } });
  assert.equal(await one.loop.step(), 0);
  assert.deepEqual(one.waits, []);
});

test("nothing waits, or it pauses: the server is told that somebody is there, seldom", async () => {
  const one = desk({ answers: { take: { ok: true, status: 200, body: { job: null } } } });
  one.queue.pause = "paper_out";
  await one.loop.step();
  await one.loop.step();
  await one.loop.step();
  assert.equal(one.asked.filter(([path]) => path === "take").length, 1);
  one.pass(BEAT_MS);
  await one.loop.step();
  assert.equal(one.asked.filter(([path]) => path === "take").length, 2);
  assert.deepEqual(one.printed, []);
  one.queue.pause = "";
  await one.loop.step();
  assert.equal(one.told.at(-1), "elsewhere");
});

test("no server: longer and longer waits, then it goes on", async () => {
  const away = desk({ answers: { "*": { ok: false, status: 0 } } });
  const waits = [];
  for (let nth = 0; nth < 5; nth += 1) waits.push(await away.loop.step());
  assert.deepEqual([waits, away.told.at(-1)], [[3000, 6000, 10_000, 10_000, 10_000], "offline"]);
  const out = desk({ answers: { queue: { ok: false, status: 401 } } });
  await out.loop.step();
  assert.deepEqual(out.told, ["signin"]);
});

test("a phone remembers its station, and asks where there are several", () => {
  const two = [{ id: 1, name: "A" }, { id: 2, name: "B" }];
  assert.equal(stationOf(two, "2"), two[1]);
  assert.equal(stationOf(two, "9"), null);
  assert.equal(stationOf(two.slice(0, 1), null), two[0]);
  assert.equal(stationOf([], "1"), null);
});

test("what became of a wish is said in words", () => {
  const strings = { print_sent: "Sent to %(station)s", print_ahead: "%(count)s before it", print_nobody: "nobody there", print_done: "Printed at %(station)s", print_failed: "%(station)s failed" };
  const station = { name: "A" };
  assert.equal(told({ state: "queued", ahead: 2, is_there: true }, station, strings), "Sent to A · 2 before it");
  assert.equal(told({ state: "queued", ahead: 0, is_there: false }, station, strings), "Sent to A · nobody there");
  assert.equal(told({ state: "printed" }, station, strings), "Printed at A");
  assert.equal(told({ state: "failed" }, station, strings), "A failed");
});
