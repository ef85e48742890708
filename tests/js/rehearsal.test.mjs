import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "../../web/static/js/rehearsal.js";

test("the end of a rehearsal is said as people say it", () => {
  const at = (iso, isChinese) => until(Date.parse(iso), "Asia/Shanghai", isChinese);
  assert.equal(at("2023-10-28T01:05:00Z", true), "10月28日 09:05");
  assert.equal(at("2023-09-08T01:05:00Z", false), "8 Sep 09:05");
  // Midnight before the first day: nobody says "the 2nd, at 00:00" for the end of New Year's Day.
  assert.equal(at("2026-01-01T16:00:00Z", true), "1月1日 24:00");
  assert.equal(at("2026-01-01T16:00:00Z", false), "1 Jan 24:00");
});
