/** A phone that was paired anew by another page of its browser, and one that the server knows no more. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Station } from "../../web/static/js/scanner/station.js";

async function phone(t, kept) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const tokens = [];
  t.mock.method(globalThis, "fetch", async (url, init = {}) => {
    const token = new Headers(init.headers).get("authorization");
    tokens.push(token);
    const [status, body] = token === "Bearer hwd_new" ? [200, { device: { name: "North" } }] : [401, { code: "sign_in_needed" }];
    return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
  });
  const told = [];
  let heard;
  const settled = new Promise((done) => {
    heard = done;
  });
  const api = { scans: "/scans", batch: "/batch", snapshot: "/snapshot", snapshot_seen: "/seen", conflicts: "/conflicts", names: "/names", seen: "/device/seen", leftovers: "/leftovers" };
  const station = new Station({
    data: { slug: "conf", api, health: "/health", build: "1" },
    pairing: { token: "hwd_old", instance: "i", device: { name: "North" } },
    identity: async () => kept,
    tell: (event, _item, extra) => {
      told.push([event, extra]);
      if (["wiped", "device"].includes(event)) heard();
    },
  });
  return { station, told, tokens, settled };
}

test("another token for the same device is taken up, and nothing is handed over", async (t) => {
  const { station, told, tokens, settled } = await phone(t, { token: "hwd_new", instance: "i", device: { name: "North" } });
  await station.start();
  while (station.pairing.token !== "hwd_new") await new Promise((done) => setImmediate(done));
  await station.report();
  await settled;
  assert.equal(station.isOver, "");
  assert.ok(tokens.includes("Bearer hwd_old"));
  assert.deepEqual(told.filter(([event]) => ["over", "wiped"].includes(event)), []);
});

for (const kept of [null, { token: "hwd_old" }]) {
  test(`without another one it is over (${kept ? "the same token" : "nothing kept"})`, async (t) => {
    const { station, settled } = await phone(t, kept);
    await station.start();
    await settled;
    assert.equal(station.isOver, "device_revoked");
  });
}
