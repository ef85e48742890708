/** What every screen shares: how current it is, in words, and what is on in a room. */
import { age } from "./live.js";

const OUTDATED_MS = 5_000;

/** {state: "on"|"late"|"off", words} for `seen` ({mode, fresh}) at `at`, both in milliseconds. */
export function current(seen, at, words) {
  const old = at - seen.fresh;
  if (seen.mode !== "off" || old <= OUTDATED_MS) {
    return { state: "on", words: seen.mode === "poll" ? words.polling : words.live };
  }
  return { state: old > 60_000 ? "off" : "late", words: age(old, words) };
}

/** The session that is on in a room and the one that follows, of `sessions` by start; `seconds` since 1970. */
export function onAt(sessions, room, seconds) {
  const own = sessions.filter((one) => one.room === room);
  return {
    now: own.find((one) => one.from <= seconds && seconds < one.to) ?? null,
    then: own.find((one) => one.from > seconds) ?? null,
  };
}

/** How many pages `count` cards need when so many fit, and which cards stand on page `turn`: [from, to). */
export function leaf(count, fit, turn) {
  const pages = Math.max(1, Math.ceil(count / Math.max(1, fit)));
  const each = Math.ceil(count / pages);
  const from = (turn % pages) * each;
  return [from, Math.min(count, from + each)];
}
