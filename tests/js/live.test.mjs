import assert from "node:assert/strict";
import { test } from "node:test";

import { columns, ticks } from "../../web/static/js/chart.js";
import { Live, age, pause } from "../../web/static/js/live.js";

test("a pause grows to half a minute and is spread over all of it", () => {
  for (let failures = 0; failures < 40; failures += 1) {
    const limit = Math.min(30_000, 500 * 2 ** failures);
    assert.equal(pause(failures, () => 0), 250);
    assert.equal(pause(failures, () => 1), 250 + limit);
  }
});

test("an age is said in seconds, later in minutes", () => {
  const words = { as_of: "{n} s", as_of_minutes: "{n} min" };
  assert.equal(age(12_300, words), "12 s");
  assert.equal(age(-50, words), "0 s");
  assert.equal(age(240_000, words), "4 min");
});

const board = {
  starts: 36_000,
  minutes: { from: 100, entries: [3, 0, 2], refused: [0, 1, 0] },
  day: { step: 5, from: 20, entries: [5] },
};

test("the last two hours are a column a minute, whatever the series holds", () => {
  const { x, admitted, refused } = columns(board, "minutes", 36_000 + 102 * 60 + 30);
  assert.equal(x.length, 120);
  assert.equal(x.at(-1), 36_000 + 102 * 60);
  assert.deepEqual(admitted.slice(-4), [0, 3, 0, 2]);
  assert.deepEqual(refused.slice(-4), [null, null, 1, null]);
});

test("today begins half an hour before the first scan, and is four hours wide at least", () => {
  const evening = columns(board, "day", 36_000 + 600 * 60);
  assert.equal(evening.x[0], 36_000 + 14 * 300);
  assert.equal(evening.admitted[6], 5);
  const morning = columns(board, "day", 36_000 + 110 * 60);
  assert.equal(morning.x[0], 36_000);
  const empty = { ...board, day: { step: 5, from: 0, entries: [] } };
  assert.equal(columns(empty, "day", 36_000 + 600 * 60).x.length, 48);
});

test("ticks are round and few", () => {
  assert.deepEqual(ticks(4), [0, 1, 2, 3, 4]);
  assert.deepEqual(ticks(23), [0, 5, 10, 15, 20, 25]);
  for (const top of [1, 7, 99, 812, 12_345]) {
    assert.ok(ticks(top).length <= 7 && ticks(top).at(-1) >= top, String(top));
  }
});

test("a frame of another topic is not handed on, and a refused topic ends the following", () => {
  const seen = [];
  const gone = [];
  const live = new Live({
    versions: { "board.1": 4 },
    onFrame: (...frame) => seen.push(frame),
    onGone: (...topic) => gone.push(topic),
  });
  let socket;
  globalThis.document = { hidden: false, addEventListener() {} };
  globalThis.addEventListener ??= () => {};
  globalThis.location = { origin: "http://here" };
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    sent = [];
    constructor(address) {
      this.address = address;
      socket = this;
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {}
  };
  live.start();
  assert.equal(socket.address, "ws://here/live");
  socket.onopen();
  assert.deepEqual(socket.sent, [{ op: "sub", topics: { "board.1": 4 } }]);
  const hear = (said) => socket.onmessage({ data: JSON.stringify(said) });
  hear({ op: "hello", at: Date.now() });
  hear({ topic: "board.2", version: 9, data: {} });
  hear({ topic: "board.1", version: 5, data: { arrived: 1 } });
  assert.deepEqual(seen, [["board.1", { arrived: 1 }, 5]]);
  assert.equal(live.mode, "socket");
  hear({ op: "revoked", topic: "board.1" });
  assert.deepEqual(gone, [["board.1", "revoked"]]);
  assert.equal(live.running, false);
});

function stage(hidden = false) {
  const made = { sockets: [], listeners: {}, fetched: [] };
  globalThis.document = {
    hidden,
    addEventListener: (name, what) => {
      made.listeners[name] = what;
    },
  };
  globalThis.location = { origin: "http://here" };
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    constructor() {
      made.sockets.push(this);
    }
    send() {}
    close() {
      this.closed = true;
    }
  };
  globalThis.fetch = async (address) => {
    made.fetched.push(address);
    return { ok: true, status: 304, headers: { get: () => null } };
  };
  return made;
}

test("a hidden tab handles no frame; shown again it handles the newest of each topic", () => {
  const scene = stage();
  const seen = [];
  const live = new Live({ versions: { "board.1": 1 }, onFrame: (_topic, data) => seen.push(data) });
  live.start();
  const [socket] = scene.sockets;
  const hear = (version) =>
    socket.onmessage({ data: JSON.stringify({ topic: "board.1", version, data: version }) });
  hear(2);
  document.hidden = true;
  scene.listeners.visibilitychange();
  hear(3);
  hear(4);
  assert.deepEqual(seen, [2]);
  document.hidden = false;
  scene.listeners.visibilitychange();
  assert.deepEqual(seen, [2, 4]);
  hear(5);
  assert.deepEqual(seen, [2, 4, 5]);
  live.stop();
});

test("a tab that stays hidden closes its socket, and opens one when it is shown", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const scene = stage();
  const live = new Live({ versions: { "board.1": 1 }, onFrame() {} });
  live.start();
  document.hidden = true;
  scene.listeners.visibilitychange();
  t.mock.timers.tick(10_001);
  assert.ok(scene.sockets[0].closed && live.mode === "off");
  document.hidden = false;
  scene.listeners.visibilitychange();
  assert.equal(scene.sockets.length, 2);
  live.stop();
});

test("a server without room for a socket is polled at once, and asked for a socket only after a while", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const scene = stage();
  const live = new Live({ versions: { "board.1": 1 }, onFrame() {} });
  live.start();
  scene.sockets[0].onclose({ code: 1013 });
  assert.deepEqual(scene.fetched, ["/live/board.1"]);
  t.mock.timers.tick(30_001);
  assert.equal(scene.sockets.length, 1);
  t.mock.timers.tick(180_000);
  assert.equal(scene.sockets.length, 2);
  live.stop();
});
