/** The public rooms: the server's list, kept current. */
import { Live, age } from "./live.js";

const page = JSON.parse(document.getElementById("rooms-data").textContent);
const state = document.getElementById("state");
const KINDS = ["go", "stop", "plain"];
const numbers = new Intl.NumberFormat(page.locale);
let seen = { mode: "off", fresh: Date.now() };

function show(rooms) {
  const rows = new Map([...document.querySelectorAll("[data-room]")].map((row) => [Number(row.dataset.room), row]));
  if (rooms.length !== rows.size || rooms.some((room) => !rows.has(room.id))) {
    location.reload(); // rooms were added or taken away
    return;
  }
  for (const room of rooms) {
    const row = rows.get(room.id);
    row.querySelector('[data-of="count"]').textContent = room.count
      ? page.words[room.of].replace("{n}", numbers.format(room.count))
      : page.words.nobody;
    const words = row.querySelector('[data-of="state"]');
    words.textContent = page.words[room.state];
    words.className = `state state--${KINDS[room.state]}`;
  }
}

function tell() {
  const old = Date.now() - seen.fresh;
  state.textContent = seen.mode !== "off" || old < 5000 ? page.words.live : age(old, page.words);
}

new Live({
  versions: { [page.topic]: page.version },
  transport: page.transport,
  onFrame: (_topic, rooms) => show(rooms),
  onState: (now) => {
    seen = now;
    tell();
  },
}).start();
setInterval(tell, 1000);
