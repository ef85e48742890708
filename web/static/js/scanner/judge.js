/**
 * A phone's own judge, for when nobody can be asked: `judge_offline` (checkin/offline_rules.py) in another language, held
 * to it by thousands of vectors. Pure. What a phone cannot know is amber, never green and never red.
 */

/** Said of a code that the phone's list does not know: somebody may have registered since. */
export const UNKNOWN_YET = "unknown_yet";
export const NEVER_HERE = Object.freeze({ closings: 0, inside: false, times: 0 });

const TONES = {
  admitted: "go",
  welcome_back: "go",
  exit_recorded: "go",
  already_here: "care",
  not_inside: "care",
};

const said = (code, certain = true) => ({ code, tone: TONES[code] ?? "stop", certain });

/**
 * facts: {reading: ok|malformed|mistyped, passport: null|{ticket_type, status, dead, other_event}, checkpoint: {is_open,
 * scans_exits, on_repeat, windows: [[opens, closes]], ticket_types, has_capacity, held: null|[state, since, until|null]}, direction, at_ms, here: {closings,
 * inside, times}, snapshot: whole|stale|none} -> {code, tone, certain}.
 */
export function judge(facts) {
  if (facts.reading === "malformed") return said("malformed");
  const known = facts.snapshot === "none" ? null : facts.passport;
  if (!known) {
    // Another shop's code may look like a slip, and be of somebody who came after the list was made.
    if (facts.reading === "mistyped") return said("mistyped", false);
    return ofAnybody(facts);
  }
  const code = judged(facts, known, facts.checkpoint.ticket_types, facts.here);
  // Chairs are seen from the door, and nobody can tell the phone that people may come in again.
  if (code === "full") return { code, tone: "care", certain: false };
  const certain =
    facts.snapshot === "whole" && code !== "not_inside" && !(code === "admitted" && facts.checkpoint.has_capacity);
  const verdict = said(code, certain);
  if (verdict.tone === "go" && !certain) verdict.tone = "care";
  return verdict;
}

/** Of a code that is in no list, no more may be said than of the most welcome of guests. */
function ofAnybody(facts) {
  const somebody = { status: "valid", dead: false, other_event: false };
  const verdict = said(judged(facts, somebody, [], NEVER_HERE));
  if (verdict.tone === "stop" && verdict.code !== "full") return verdict;
  return { code: UNKNOWN_YET, tone: "care", certain: false };
}

function judged(facts, passport, ticketTypes, here) {
  const { checkpoint } = facts;
  if (passport.other_event) return "other_event";
  if (facts.direction === "exit") {
    if (!checkpoint.scans_exits) return "no_exits_here";
    return here.inside ? "exit_recorded" : "not_inside";
  }
  return (
    statusRefusal(passport) ??
    openingRefusal(checkpoint, facts.at_ms) ??
    (ticketTypes.length && !ticketTypes.includes(passport.ticket_type) ? "wrong_ticket_type" : null) ??
    repeat(checkpoint, here) ??
    (saidByHand(checkpoint, facts.at_ms) === "full" ? "full" : "admitted")
  );
}

function statusRefusal({ dead, status }) {
  if (dead || status === "revoked") return "revoked";
  return status === "valid" ? null : status;
}

/** What somebody said of the room by hand, where it is about this moment. */
function saidByHand({ held }, at) {
  if (!held) return "automatic";
  const [state, since, until] = held;
  return since <= at && (until === null || at < until) ? state : "automatic";
}

function openingRefusal(checkpoint, at) {
  const { is_open: isOpen, windows } = checkpoint;
  if (!isOpen || saidByHand(checkpoint, at) === "closed") return "closed";
  if (!windows.length || windows.some(([opens, closes]) => opens <= at && at < closes)) return null;
  return windows.some(([opens]) => at < opens) ? "not_yet_open" : "window_over";
}

function repeat({ on_repeat: onRepeat }, here) {
  if (onRepeat === "refuse") return here.times ? "already_used" : null;
  if (!here.inside) return null;
  return onRepeat === "welcome" ? "welcome_back" : "already_here";
}

/** What the phone told the person, as the server wants to hear it: amber lets people in, red does not. */
export function told(verdict, direction) {
  if (verdict.tone === "stop") return "refused";
  if (direction === "exit") return "exit";
  return verdict.code === UNKNOWN_YET ? UNKNOWN_YET : "admitted";
}

/** Within what a passport is "already here": nothing, the programme date, the window, or the session. */
export function periodOf({ once, windows, session_guid: guid, slots, lead_ms: lead }, { at_ms: at, programme_date: day }) {
  if (once === "day") return day;
  // Between the sessions of its room a door counts for the day.
  if (once === "session") return slots ? (slotAt(slots, at, lead)?.[0] ?? day) : guid;
  if (once === "window" && windows.length) {
    const opens = windows.map(([from]) => from).sort((a, b) => a - b);
    const begun = opens.filter((from) => from <= at);
    return new Date(begun.length ? begun[begun.length - 1] : opens[0]).toISOString().slice(0, 16);
  }
  return "";
}

/** The session [guid, begins, ends] of a room that a moment belongs to: the one that runs, else the next from `lead` before. */
export function slotAt(slots, at, lead) {
  const first = (some) => some.sort((a, b) => a[1] - b[1] || a[2] - b[2] || (a[0] < b[0] ? -1 : 1))[0];
  const running = slots.filter(([, begins, ends]) => begins <= at && at < ends);
  return first(running.length ? running : slots.filter(([, begins]) => begins - lead <= at && at < begins));
}

/** The programme day of a moment in the event's zone, as YYYY-MM-DD; it begins so many minutes after midnight. */
export function programmeDate(at, timeZone, dayStartsMinute) {
  // Wall clocks jump twice a year, so the day's beginning is taken from the clock on the wall, not from the moment.
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  }).formatToParts(new Date(at));
  const part = (type) => Number(parts.find((one) => one.type === type).value);
  const day = Date.UTC(part("year"), part("month") - 1, part("day"));
  const early = part("hour") * 60 + part("minute") < dayStartsMinute;
  return new Date(early ? day - 86_400_000 : day).toISOString().slice(0, 10);
}

/**
 * How a passport stands in a list and period, from the ledger's rows [turn, direction, at, checkpoint]: closings, inside,
 * times, and `first`, the admission that a repeat meets.
 */
export function hereOf(rows) {
  const turns = new Map();
  const closed = new Set();
  const undone = new Set();
  for (const [turn, direction, at, checkpoint] of rows) {
    if (direction === "entry") turns.set(turn, { at, checkpoint });
    else (direction === "undo" ? undone : closed).add(turn);
  }
  const closings = new Set([...closed, ...undone]).size;
  const inside = turns.has(closings);
  const times = [...turns.keys()].filter((turn) => !undone.has(turn)).length;
  return { closings, inside, times, first: turns.get(inside ? closings : closings - 1) ?? null };
}
