/**
 * The banner of a rehearsal: shown while one runs, gone at its end without anybody telling. Pages that hear more (a
 * board's document, a scan's answer) say so through `rehearsal` and `tried`.
 */
const banner = document.getElementById("rehearsal");
let timer = 0;

/** "10-28 09:00" by the event's clock, as the server writes it. */
function until(ends) {
  const two = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const words = new Intl.DateTimeFormat("en-GB", { timeZone: banner.dataset.zone, ...two });
  const of = Object.fromEntries(words.formatToParts(ends).map(({ type, value }) => [type, value]));
  return `${of.month}-${of.day} ${of.hour}:${of.minute}`;
}

/** Shows it until `ends` (milliseconds since 1970), or takes it away for null. */
export function rehearsal(ends) {
  if (!banner) return;
  banner.dataset.ends = ends ?? "";
  if (ends) {
    const time = banner.querySelector("time");
    if (time.textContent !== until(ends)) time.textContent = until(ends);
  }
  tick();
}

/** What a scan was answered: in a rehearsal or not. Its end is not known from there. */
export function tried(isRehearsal) {
  if (!banner || isRehearsal === undefined) return;
  if (!isRehearsal) rehearsal(null);
  else if (banner.hidden) {
    banner.querySelector("[data-until]").hidden = true;
    banner.hidden = false;
  }
}

function tick() {
  clearTimeout(timer);
  const left = Number(banner.dataset.ends) - Date.now();
  banner.hidden = !(left > 0);
  banner.querySelector("[data-until]").hidden = banner.hidden;
  // A timer of more than 24 days would go off at once.
  if (left > 0) timer = setTimeout(tick, Math.min(left, 3_600_000) + 50);
}

if (banner?.dataset.ends) rehearsal(Number(banner.dataset.ends));
