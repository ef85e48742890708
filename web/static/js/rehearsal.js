/**
 * The banner of a rehearsal: shown while one runs, gone at its end without anybody telling. Pages that hear more (a
 * board's document, a scan's answer) say so through `rehearsal` and `tried`.
 */
const banner = globalThis.document?.getElementById("rehearsal");
let timer = 0;

/** "28 Oct 09:00", "10月28日 09:00" by the event's clock, as the server writes it; midnight is 24:00 of the day before. */
export function until(ends, zone, isChinese) {
  const part = (at, options) => new Intl.DateTimeFormat("en-US", { timeZone: zone, ...options }).format(at);
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const isMidnight = part(ends, time) === "00:00";
  const at = isMidnight ? ends - 60_000 : ends;
  const [day, month] = [part(at, { day: "numeric" }), part(at, { month: isChinese ? "numeric" : "short" })];
  return `${isChinese ? `${month}月${day}日` : `${day} ${month}`} ${isMidnight ? "24:00" : part(ends, time)}`;
}

/** Shows it until `ends` (milliseconds since 1970), or takes it away for null. */
export function rehearsal(ends) {
  if (!banner) return;
  banner.dataset.ends = ends ?? "";
  if (ends) {
    const time = banner.querySelector("time");
    const words = until(ends, banner.dataset.zone, document.documentElement.lang.startsWith("zh"));
    if (time.textContent !== words) time.textContent = words;
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
