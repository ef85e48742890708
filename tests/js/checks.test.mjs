import assert from "node:assert/strict";
import { test } from "node:test";

import {
  environment,
  features,
  readPairingCode,
  readShortCode,
  run,
  spoken,
  tryCamera,
} from "../../web/static/js/scanner/checks.js";

/** A phone that can everything, and a memory that keeps. */
const phone = (more = {}) => ({
  isSecure: true,
  mediaDevices: { getUserMedia: () => assert.fail("a permission was asked without a tap") },
  serviceWorker: { getRegistration: async () => undefined },
  estimate: async () => ({ quota: 1e9, usage: 1e6 }),
  subtle: {},
  ...more,
});
function memory({ fails = "" } = {}) {
  const kept = new Map();
  const step = (name, work) => async (_store, key, value) => {
    if (fails === name) throw new Error(name);
    return work(key, value);
  };
  return {
    kept,
    put: step("put", (key, value) => kept.set(key, value)),
    get: step("get", (key) => (fails === "forgets" ? undefined : kept.get(key))),
    remove: step("remove", (key) => kept.delete(key)),
  };
}
const good = { secure: true, camera: true, service_worker: true, storage: true };

test("a phone that can everything is asked for nothing and keeps nothing of the trial", async () => {
  const store = memory();
  assert.deepEqual(await run(phone(), store), good);
  assert.equal(store.kept.size, 0);
});

test("an insecure origin has neither camera nor service worker, and its memory may do", async () => {
  const found = await run(phone({ isSecure: false, mediaDevices: undefined, subtle: undefined }), memory());
  assert.deepEqual(found, { secure: false, camera: false, service_worker: false, storage: true });
});

test("each thing that is missing is found by itself", async () => {
  const cases = [
    [{ mediaDevices: {} }, "camera"],
    [{ mediaDevices: undefined }, "camera"],
    [{ serviceWorker: undefined }, "service_worker"],
    [{ serviceWorker: { getRegistration: async () => Promise.reject(new Error("private window")) } }, "service_worker"],
    [{ serviceWorker: { getRegistration: () => new Promise(() => {}) } }, "service_worker"],
    [{ estimate: async () => ({ quota: 1e6, usage: 999_000 }) }, "storage"],
  ];
  for (const [lack, name] of cases) {
    assert.deepEqual(await run(phone(lack), memory(), 20), { ...good, [name]: false }, name);
  }
});

test("a memory that refuses, forgets or hangs is none", async () => {
  for (const fails of ["put", "get", "remove", "forgets"]) {
    assert.equal((await run(phone(), memory({ fails }))).storage, false, fails);
  }
  const hangs = { ...memory(), put: () => new Promise(() => {}) };
  assert.equal((await run(phone(), hangs, 20)).storage, false);
});

test("a browser that tells nothing about its room is believed", async () => {
  for (const estimate of [undefined, async () => Promise.reject(new Error()), async () => ({})]) {
    assert.equal((await run(phone({ estimate }), memory())).storage, true);
  }
});

test("the camera is tried after a tap, let go at once, and a no has its reason", async () => {
  let stopped = 0;
  const track = { stop: () => (stopped += 1) };
  assert.equal(await tryCamera({ getUserMedia: async () => ({ getTracks: () => [track, track] }) }), "");
  assert.equal(stopped, 2);
  for (const [name, why] of [["NotAllowedError", "denied"], ["NotFoundError", "none"], ["AbortError", "in_use"]]) {
    const refuses = { getUserMedia: () => Promise.reject(Object.assign(new Error(), { name })) };
    assert.equal(await tryCamera(refuses), why);
  }
});

test("the environment is read from the browser, whatever it lacks", () => {
  assert.deepEqual(environment({}), {
    isSecure: false,
    mediaDevices: undefined,
    serviceWorker: undefined,
    estimate: undefined,
    subtle: undefined,
  });
});

test("a browser is told by what it has", () => {
  assert.equal(features({}), "");
  const inWeChat = { __wxjs_environment: "miniprogram", GestureEvent: class {}, navigator: { maxTouchPoints: 5 } };
  assert.equal(features(inWeChat), "in-app webkit touch");
  const installed = { navigator: { userAgentData: {} }, matchMedia: () => ({ matches: true }), BarcodeDetector: class {} };
  assert.equal(features(installed), "chromium installed barcodes");
});

// Made by kernel.codes of forty times "k", "x", "y": derived_short_code and link_secret.
const SHORT = "DEAGXJEN";
const SECRET = "DQ7qcL1SLttuhuA_dZw_5g";

test("short codes are folded, and a slip of the finger is found", () => {
  assert.equal(readShortCode(`${SHORT.slice(0, 4).toLowerCase()} - ${SHORT.slice(4)}`), SHORT);
  assert.equal(readShortCode(SHORT.replaceAll("0", "o").replaceAll("1", "i")), SHORT);
  for (let at = 0; at < 7; at += 1) {
    const wrong = SHORT[at] === "2" ? "3" : "2";
    assert.equal(readShortCode(SHORT.slice(0, at) + wrong + SHORT.slice(at + 1)), null, `${at}`);
  }
  for (const text of ["", "1234567", "123456789", "UUUUUUUU"]) assert.equal(readShortCode(text), null);
  assert.equal(spoken(SHORT), `${SHORT.slice(0, 4)}-${SHORT.slice(4)}`);
});

test("a pairing code is read from the fragment, a scanned address or fingers", () => {
  const both = { code: `${SECRET}.${SHORT}`, short: SHORT };
  assert.deepEqual(readPairingCode(`#${SECRET}.${SHORT}`), both);
  assert.deepEqual(readPairingCode(`https://a.example/e/coscon/pair#${SECRET}.${SHORT}`, "/e/coscon/pair"), both);
  assert.deepEqual(readPairingCode(` ${SHORT} `), { code: SHORT, short: SHORT });
  assert.deepEqual(readPairingCode(`#${SECRET}`), { code: `${SECRET}.`, short: "" });
  for (const text of ["", "#", "#x", "https://a.example/p?token=0123", `https://a.example/e/other/pair#${SECRET}.${SHORT}`]) {
    assert.equal(readPairingCode(text, "/e/coscon/pair"), null, text);
  }
});
