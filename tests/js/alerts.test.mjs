import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { alerts, fresh, lane, level } from "../../web/static/js/alerts.js";

const vectors = JSON.parse(readFileSync(new URL("alerts.json", import.meta.url)));

test("levels, alerts and lanes are those of board_rules.py", () => {
  for (const [state, count, capacity, reached] of vectors.levels) {
    assert.equal(level(state, count, capacity), reached, `${state} ${count} ${capacity}`);
  }
  for (const { why, board, gates, at, alerts: expected } of vectors.boards) {
    assert.deepEqual(alerts(board, new Set(gates), at), expected, why);
  }
  for (const { row, starts, at, lane: expected } of vectors.lanes) {
    const one = lane(row, starts, at);
    assert.deepEqual([one.steps, one.rate, one.scans, one.refused, one.refusedPercent, one.ago], expected);
  }
});

test("an alert is heard once, until it has been away", () => {
  const full = ["room_full", 7, 100];
  assert.deepEqual(fresh([], [full]), [full]);
  assert.deepEqual(fresh([full], [["room_full", 7, 101]]), []);
  assert.deepEqual(fresh([full], [["silent", 7, 10]]), [["silent", 7, 10]]);
});
