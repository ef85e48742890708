/**
 * What a phone says of a scan by itself: the passport's line and who is here already, judged, and put into the shape in
 * which the server answers, so that the screen shows both alike. Pure but for the snapshot that it reads.
 */
import { NEVER_HERE, judge, periodOf, programmeDate, told } from "./judge.js";

const ms = (iso) => new Date(iso).getTime();

/** A checkpoint as the judge wants it, from the door's facts as the server gives them. */
export function facts(checkpoint) {
  return {
    is_open: checkpoint.is_open,
    scans_exits: checkpoint.scans_exits,
    on_repeat: checkpoint.on_repeat,
    once: checkpoint.once,
    session_guid: checkpoint.session_guid,
    windows: checkpoint.windows.map((one) => [ms(one.opens_at), ms(one.closes_at)]),
    ticket_types: checkpoint.ticket_types,
    has_capacity: checkpoint.capacity !== null && checkpoint.capacity !== undefined,
    // A snapshot that an older server gave knows nothing of rooms.
    slots: checkpoint.slots?.map(({ guid, starts_at: begins, ends_at: ends }) => [guid, ms(begins), ms(ends)]) ?? null,
    lead_ms: (checkpoint.lead_minutes ?? 0) * 60_000,
    held: checkpoint.held
      ? [checkpoint.held.state, ms(checkpoint.held.since), checkpoint.held.until ? ms(checkpoint.held.until) : null]
      : null,
  };
}

/**
 * {answer, local, row}: what to show, what to tell the server that was said, and the row of the ledger that this phone
 * remembers (null where nothing changed). `found` is what the snapshot knows of the code; `at` the server's time as far
 * as the phone knows it.
 */
export async function decide({ snapshot, found, checkpoint, direction, at }) {
  const world = snapshot.world;
  const own = world?.checkpoints.find((one) => one.id === checkpoint);
  if (!own) return null;
  const judged = facts(own);
  const day = programmeDate(at, world.time_zone, world.day_starts_minute);
  const period = periodOf(judged, { at_ms: at, programme_date: day });
  const { line } = found;
  const here = line ? await snapshot.here(line.passport, own.list_id, period) : { ...NEVER_HERE, first: null };
  const verdict = judge({
    reading: found.reading,
    passport: line && { ticket_type: line.type, status: line.status, dead: Boolean(line.dead), other_event: false },
    checkpoint: judged,
    direction,
    at_ms: at,
    here,
    snapshot: snapshot.state,
  });
  const iso = new Date(at).toISOString();
  const isEntry = letsIn(verdict);
  const isExit = verdict.code === "exit_recorded";
  return {
    answer: {
      verdict: verdict.code,
      tone: verdict.tone,
      at: iso,
      direction,
      isLocal: true,
      isCertain: verdict.certain,
      holder: line && holder(line, world),
      notice: line?.notice ?? null,
      first: isRepeat(verdict.code) && here.first ? first(here.first, world) : null,
      elsewhere: verdict.code === "wrong_ticket_type" ? elsewhere(own, line.type, world) : null,
    },
    local: told(verdict, direction),
    row:
      line && (isEntry || isExit)
        ? [line.passport, own.list_id, period, here.closings, isEntry ? "entry" : "exit", iso, own.id]
        : null,
  };
}

/** The row that an answer of the server adds to what the phone knows, so that it knows when the network goes. */
export function rowOf({ world, answer, checkpoint, here }) {
  const own = world?.checkpoints.find((one) => one.id === checkpoint);
  if (!own || !answer.holder || !["admitted", "exit_recorded", "admitted_by_lead"].includes(answer.verdict)) return null;
  const isEntry = answer.verdict !== "exit_recorded";
  if (isEntry === here.inside) return null;
  const period = periodIn(world, own, answer.at);
  return [answer.holder.passport_id, own.list_id, period, here.closings, isEntry ? "entry" : "exit", answer.at, own.id];
}

/** Within what a checkpoint counts at a moment. */
export function periodIn(world, checkpoint, at) {
  const moment = typeof at === "number" ? at : ms(at);
  const day = programmeDate(moment, world.time_zone, world.day_starts_minute);
  return periodOf(facts(checkpoint), { at_ms: moment, programme_date: day });
}

/** Whether somebody goes in by a verdict of this phone: amber lets people in. */
export const letsIn = ({ code, tone }) => code === "admitted" || (code === "full" && tone === "care");

const isRepeat = (code) => ["welcome_back", "already_here", "already_used"].includes(code);

function holder(line, world) {
  const type = world.ticket_types.find(({ id }) => id === line.type);
  return {
    passport_id: line.passport,
    name: line.name ?? "",
    line: line.line ?? "",
    ticket_type: type?.name ?? {},
    door_note: type?.door_note ?? {},
    leads_group: Boolean(line.group),
    badge: line.badge ?? null,
  };
}

function first({ at, checkpoint }, world) {
  return { at, checkpoint: world.places[checkpoint] ?? {} };
}

function elsewhere(own, type, world) {
  const other = world.checkpoints.find(
    (one) =>
      one.id !== own.id &&
      one.kind === own.kind &&
      one.is_open &&
      (!one.ticket_types.length || one.ticket_types.includes(type)),
  );
  return other ? { id: other.id, name: other.name } : null;
}
