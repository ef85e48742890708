/** The rooms of whoever works at them: the server's page, kept current, and plus and minus beside the head count. */
import { Live, age } from "./live.js";

const page = JSON.parse(document.getElementById("tend-data").textContent);
const state = document.getElementById("state");
//: Sessions end by the clock, and nothing is told then: so often the page is read anew in any case.
const ANEW_MS = 30_000;
let seen = { mode: "off", fresh: Date.now() };
let reading = false;
let again = false;

/** The public topic tells that something moved; exact figures stand on this page's own address. */
async function renew() {
  if (document.hidden) return;
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // asked again next time
  }
  reading = false;
  if (again) {
    again = false;
    setTimeout(renew, 500);
  }
}

function put(fresh) {
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const other = fresh.getElementById(part.id);
    // A finger on a button, or the keyboard's focus, is left where it is; the next reading comes soon.
    if (!other || part.matches(":active") || part.contains(document.activeElement)) continue;
    if (part.textContent === other.textContent) continue;
    part.replaceChildren(...other.childNodes);
    part.className = other.className;
  }
}

function tell() {
  const old = Date.now() - seen.fresh;
  state.textContent = seen.mode !== "off" || old < 5000 ? page.words.live : age(old, page.words);
}

const steps = document.getElementById("steps");
if (steps) {
  const field = document.querySelector('#count-form input[name="count"]');
  const start = () => Number(document.querySelector(".tend__count b").textContent.replace(/\D/g, ""));
  steps.hidden = false;
  steps.addEventListener("click", (event) => {
    const by = Number(event.target.dataset.step);
    if (!by) return;
    const from = field.value === "" ? start() : Number(field.value);
    field.value = String(Math.min(page.most, Math.max(0, from + by)));
  });
}

new Live({
  versions: { [page.topic]: page.version },
  transport: page.transport,
  onFrame: renew,
  onState: (now) => {
    seen = now;
    tell();
  },
}).start();
setInterval(renew, ANEW_MS);
setInterval(tell, 1000);
