/** What a lead may do, who of a group is ticked, one act for one badge, and a lane's figures. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Acts } from "../../web/static/js/scanner/badge_desk.js";
import { arrivalOf, ticked } from "../../web/static/js/scanner/group.js";
import { figures } from "../../web/static/js/scanner/lanes_drawer.js";
import { mayDo } from "../../web/static/js/scanner/lead.js";
import { request } from "../../web/static/js/scanner/request.js";
import { badgeOf } from "../../web/static/js/scanner/verdict.js";

const overrule = { verdicts: ["closed", "full"], checkpoints: null };
const lead = { isLead: true, overrule, checkpoint: { id: 3 } };
const view = { isSettled: true, person: 7, verdict: "full" };

test("a lead may admit against a refusal and undo an admission, at their own checkpoints only", () => {
  assert.equal(mayDo(view, lead), "admit");
  assert.equal(mayDo({ ...view, verdict: "admitted" }, lead), "undo");
  assert.equal(mayDo({ ...view, verdict: "admitted_by_lead" }, lead), "undo");
  assert.equal(mayDo({ ...view, verdict: "welcome_back" }, lead), "");
  assert.equal(mayDo({ ...view, verdict: "handed_over" }, lead), "");
  assert.equal(mayDo(view, { ...lead, isLead: false }), "");
  assert.equal(mayDo({ ...view, person: null }, lead), "");
  assert.equal(mayDo({ ...view, isSettled: false }, lead), "");
  assert.equal(mayDo(view, { ...lead, overrule: { ...overrule, checkpoints: [4] } }), "");
  assert.equal(mayDo(view, { ...lead, overrule: { ...overrule, checkpoints: [3] } }), "admit");
});

test("whoever is here or has no valid passport is not ticked", () => {
  const people = [
    { passport_id: 1, status: "valid", here_since: null },
    { passport_id: 2, status: "valid", here_since: "2023-10-28T01:00:00Z" },
    { passport_id: 3, status: "not_confirmed", here_since: null },
  ];
  assert.deepEqual(ticked(people), [1]);
  assert.deepEqual(arrivalOf({ id: "a", leader: 9, checkpoint: 3, chosen: [1, 3] }), {
    id: "a",
    passport_id: 9,
    checkpoint: 3,
    members: [{ passport_id: 1 }, { passport_id: 3 }],
  });
});

test("one act for one showing of a badge; what did not arrive is sent again under its id", () => {
  let clock = 0;
  let made = 0;
  const acts = new Acts({ newId: () => `id-${++made}`, now: () => clock });
  const first = acts.next("code");
  assert.equal(first.id, "id-1");
  first.isSending = true;
  assert.equal(acts.next("code"), null);
  first.isSending = false;
  assert.equal(acts.next("code"), first, "it was not heard of, so the same act goes again");
  Object.assign(first, { isDone: true, at: clock });
  clock = 4000;
  assert.equal(acts.next("code"), null, "still in front of the camera");
  clock = 8500;
  assert.equal(acts.next("code"), null, "all the while");
  clock = 14000;
  assert.equal(acts.next("code").id, "id-2", "shown again: asked again");
  assert.equal(acts.next("other").id, "id-3");
});

test("a lane's last five minutes, and its refusals of the last ten", () => {
  assert.deepEqual(figures({ scans: [9, 0, 4, 6], refused: [9, 0, 1, 2] }), { rate: 6, refused: 3, percent: 30 });
  assert.deepEqual(figures({ scans: [9, 0, 0], refused: [1, 0, 0] }), { rate: 0, refused: 0, percent: 0 });
});

test("a badge is called by its box and number", () => {
  const strings = { box: "Box %(box)s" };
  assert.equal(badgeOf({ box: "C", number: 217 }, strings), "Box C · 217");
  assert.equal(badgeOf({ box: "", number: 217 }, strings), "217");
  assert.equal(badgeOf({ box: "C", number: null }, strings), "Box C");
  assert.equal(badgeOf(null, strings), "");
});

test("a request never throws, and a venue's sign-in page is not our server", async () => {
  const answer = (body, init) => async () => new Response(body, init);
  const json = { status: 200, headers: { "content-type": "application/json" } };
  assert.deepEqual((await request(answer('{"a":1}', json), "/x")).body, { a: 1 });
  const portal = await request(answer("<html>", { status: 200, headers: { "content-type": "text/html" } }), "/x", {});
  assert.deepEqual([portal.ok, portal.status], [false, 0]);
  const away = await request(() => Promise.reject(new TypeError("away")), "/x");
  assert.deepEqual([away.ok, away.status], [false, 0]);
  const no = await request(answer('{"title":"No"}', { ...json, status: 409 }), "/x", {});
  assert.deepEqual([no.ok, no.status, no.body.title], [false, 409, "No"]);
  const sent = [];
  await request(async (url, init) => (sent.push([url, init]), new Response(null, { status: 204 })), "/y", { id: 1 }, { "if-none-match": "a" });
  assert.deepEqual([sent[0][0], sent[0][1].method, sent[0][1].body, sent[0][1].headers["if-none-match"]], ["/y", "POST", '{"id":1}', "a"]);
});
