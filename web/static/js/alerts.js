/**
 * What a board marks and warns of, from its document and a clock: the same as checkin/board_rules.py, held to it by
 * tests/js/alerts.json.
 */
export const LEVELS = [80, 95, 100];
const FULL = 1;
const CLOSED = 2;
const PILE = 5;
const PILE_SHARE = 3;
const SILENT_S = 600;
const STEP_S = 300;
const LANE_STEPS = 6;

/** How full: 0, or the highest of LEVELS that is reached. */
export function level(state, count, capacity) {
  if (state === FULL) return 100;
  if (state === CLOSED || !capacity) return 0;
  return Math.max(0, ...LEVELS.filter((mark) => 100 * count >= mark * capacity));
}

const near = (series, begin, current) =>
  series.reduce((sum, count, index) => {
    const slot = begin + index;
    return slot === current || slot === current - 1 ? sum + count : sum;
  }, 0);

/** [kind, place, checkpoint or newest conflict or phone, number] of what somebody should look at now; `seconds` since 1970, whole. */
export function alerts(board, gates, seconds) {
  const found = board.conflicts?.open ? [["conflicts", board.conflicts.newest, board.conflicts.open]] : [];
  if (board.devices?.quiet) found.push(["devices", board.devices.newest, board.devices.quiet]);
  for (const [place, count, , state] of board.rooms) if (state === FULL) found.push(["room_full", place, count]);
  const current = Math.floor((seconds - board.starts) / STEP_S);
  for (const [checkpoint, , begin, scans, refused] of board.lanes) {
    const piled = near(refused, begin, current);
    if (piled >= PILE && piled * PILE_SHARE >= near(scans, begin, current)) found.push(["refusals", checkpoint, piled]);
  }
  const opened = new Set(board.checkpoints.filter((row) => row.at(-1) !== CLOSED).map(([id]) => id));
  const used = board.lanes.filter(([, last]) => last !== null);
  const inUse = used.some(([, last]) => seconds - last < SILENT_S);
  for (const [checkpoint, last] of used) {
    if (inUse && gates.has(checkpoint) && opened.has(checkpoint) && seconds - last >= SILENT_S) {
      found.push(["silent", checkpoint, Math.floor((seconds - last) / 60)]);
    }
  }
  return found;
}

/** A lane as people read it; see `board_rules.lane`. */
export function lane([, last, begin, scans, refused], starts, seconds) {
  const current = Math.floor((seconds - starts) / STEP_S);
  const steps = [];
  for (let slot = current - LANE_STEPS + 1; slot <= current; slot += 1) steps.push(scans[slot - begin] ?? 0);
  const sum = (series) => series.reduce((one, other) => one + other, 0);
  const [total, no] = [sum(scans), sum(refused)];
  return {
    steps,
    rate: Math.max(...steps.slice(-2)),
    scans: total,
    refused: no,
    refusedPercent: total ? Math.floor((100 * no) / total) : 0,
    ago: last === null ? null : Math.max(0, seconds - last),
  };
}

/** Which alerts were not there before, by kind and subject: only these are heard. */
export function fresh(before, now) {
  const known = new Set(before.map(([kind, subject]) => `${kind} ${subject}`));
  return now.filter(([kind, subject]) => !known.has(`${kind} ${subject}`));
}

/** Two short tones; nothing where the browser has no sound or has not been allowed any. */
export class Sound {
  constructor() {
    this.context = null;
  }

  get on() {
    return this.context !== null;
  }

  /** To be called from a press: browsers allow sound only then. */
  toggle() {
    const Context = globalThis.AudioContext ?? globalThis.webkitAudioContext;
    if (this.context) {
      this.context.close();
      this.context = null;
    } else if (Context) {
      this.context = new Context();
      this.play();
    }
    return this.on;
  }

  play() {
    if (!this.context) return;
    for (const [index, pitch] of [880, 660].entries()) {
      const begin = this.context.currentTime + index * 0.18;
      const tone = this.context.createOscillator();
      const volume = this.context.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.2, begin);
      volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.16);
      tone.connect(volume).connect(this.context.destination);
      tone.start(begin);
      tone.stop(begin + 0.17);
    }
  }
}
