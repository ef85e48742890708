import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { hereOf, judge, periodOf, programmeDate, told } from "../../web/static/js/scanner/judge.js";

// Made by tests/judge_vectors.py out of the server's own rules.
const vectors = JSON.parse(readFileSync(new URL("./judge_vectors.json", import.meta.url)));

test("the browser judges as the server does, whatever it is asked", () => {
  assert.ok(vectors.judge.length >= 2000, String(vectors.judge.length));
  const codes = new Set();
  for (const { verdict, local, ...facts } of vectors.judge) {
    const said = judge(facts);
    assert.deepEqual(said, verdict, JSON.stringify(facts));
    assert.equal(told(said, facts.direction), local, JSON.stringify(facts));
    codes.add(said.code);
  }
  assert.ok(codes.size >= 15, [...codes].join(" "));
});

test("both name the same period", () => {
  assert.ok(vectors.periods.length > 100);
  for (const { period, ...facts } of vectors.periods) assert.equal(periodOf(facts, facts), period, JSON.stringify(facts));
});

test("the programme day begins in the event's zone, not at midnight", () => {
  const at = (iso) => programmeDate(Date.parse(iso), "Asia/Shanghai", 240);
  assert.equal(at("2023-10-28T01:30:00Z"), "2023-10-28");
  assert.equal(at("2023-10-28T19:59:59Z"), "2023-10-28", "03:59 is still yesterday's");
  assert.equal(at("2023-10-28T20:00:00Z"), "2023-10-29");
  assert.equal(programmeDate(Date.parse("2023-01-01T04:30:00Z"), "America/New_York", 0), "2022-12-31");
  // The night that clocks go back in: 01:30 comes twice, both before the day begins at 04:00.
  assert.equal(programmeDate(Date.parse("2023-10-29T00:30:00Z"), "Europe/Berlin", 240), "2023-10-28");
  assert.equal(programmeDate(Date.parse("2023-10-29T03:00:00Z"), "Europe/Berlin", 240), "2023-10-29");
});

test("how somebody stands follows from the ledger's rows, in whatever order they come", () => {
  const entry = (turn, at = `t${turn}`) => [turn, "entry", at, 1];
  const here = (...rows) => hereOf(rows);
  assert.deepEqual(here(), { closings: 0, inside: false, times: 0, first: null });
  assert.deepEqual(here(entry(0)), { closings: 0, inside: true, times: 1, first: { at: "t0", checkpoint: 1 } });
  const left = here([0, "exit", "x", 1], entry(0));
  assert.deepEqual(left, { closings: 1, inside: false, times: 1, first: { at: "t0", checkpoint: 1 } });
  assert.equal(here(entry(1), [0, "exit", "x", 1], entry(0)).inside, true);
  assert.deepEqual(here(entry(0), [0, "undo", "u", 1]).times, 0);
});
