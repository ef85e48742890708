/**
 * How old a scan is, for the server, which trusts no clock of ours: counted by the page's own clock while it lives, and
 * carried over a reload or an empty battery by the phone's. Where that one was set meanwhile, nobody can tell. Pure.
 */

/** The phone's clock against the server's: what an answer's Date says in whole seconds, and how long answers take. */
const CLOCK_TOLERANCE_MS = 60_000;
/** Sent as an age it is believed by nobody: the arrival counts, and the scan is marked doubtful. */
export const NOT_BELIEVED = -1;

export class Ages {
  /** now(): the page's monotonic milliseconds; wall(): the phone's clock. */
  constructor({ now, wall }) {
    this.now = now;
    this.wall = wall;
    /** How far the phone's clock is ahead of the server's, as last heard; null while nothing was. */
    this.ahead = null;
  }

  /** The server said what time it is. */
  heard(serverMs) {
    this.ahead = this.wall() - serverMs;
  }

  /** What a new scan carries. */
  born() {
    return { seenAt: this.now(), carried: false, bornAhead: this.ahead };
  }

  /** What is kept of it on the phone. */
  kept(item) {
    return { ageMs: Math.max(0, this.now() - item.seenAt), keptAt: this.wall(), bornAhead: item.bornAhead ?? null };
  }

  /** A scan that another page kept: no younger than it was then, older by what the phone's clock says. */
  restored({ ageMs = 0, keptAt = 0, bornAhead = null }) {
    const away = this.wall() - keptAt;
    return {
      seenAt: this.now() - Math.max(0, ageMs) - Math.max(0, away),
      carried: true,
      wentBack: away < 0,
      bornAhead,
    };
  }

  /** Milliseconds since the code was read, or NOT_BELIEVED where the clock that carried it was set meanwhile. */
  of(item) {
    if (item.carried) {
      if (item.wentBack) return NOT_BELIEVED;
      const wasSet = item.bornAhead !== null && this.ahead !== null && Math.abs(this.ahead - item.bornAhead);
      if (wasSet > CLOCK_TOLERANCE_MS) return NOT_BELIEVED;
    }
    return Math.round(this.now() - item.seenAt);
  }
}
