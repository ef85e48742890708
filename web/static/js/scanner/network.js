/**
 * Whether the server can be asked just now: learned from how the last requests went, and, once it can't, from trying.
 * Nobody switches it by hand. Pure: clock, waiting and the trial are handed in.
 */

const WINDOW = 5;
const BAD_AT_MOST = 1;
/** An answer that takes longer serves nobody at a door. */
export const SLOW_MS = 3000;
const FIRST_TRIAL_MS = 2000;
const LONGEST_TRIAL_MS = 15000;
/** One answer may slip through a dying network; a second, this much later, says that it is back. */
const SURE_AFTER_MS = 1000;

export class Network {
  /** try_() -> Promise<boolean>; later(ms, work) -> cancel(); tell(isOffline) on every change; random() in [0, 1). */
  constructor({ try_, now, later, tell, random = Math.random }) {
    Object.assign(this, { try_, now, later, tell, random });
    this.isOffline = false;
    this.last = [];
    this.trials = 0;
    this.good = 0;
    this.isTrying = false;
    this.cancel = null;
  }

  /** How a request went: whether our server answered sensibly, and after how long. */
  note(isGood, tookMs = 0) {
    if (this.isOffline) return;
    this.last.push(isGood && tookMs <= SLOW_MS);
    if (this.last.length > WINDOW) this.last.shift();
    if (this.last.filter((good) => !good).length > BAD_AT_MOST) this.lost();
  }

  /** It is gone: the browser says so, or the requests did. */
  lost() {
    if (this.isOffline) return;
    this.isOffline = true;
    this.last = [];
    this.trials = 0;
    this.good = 0;
    this.tell(true);
    this.#later(this.#wait());
  }

  /** Something says that it may be back: try at once. */
  perhaps() {
    if (!this.isOffline) return;
    this.trials = 0;
    this.#later(0);
  }

  #wait() {
    const longest = Math.min(LONGEST_TRIAL_MS, FIRST_TRIAL_MS * 2 ** this.trials);
    // Phones that lost one network together must not come back together.
    return longest / 2 + (longest / 2) * this.random();
  }

  #later(ms) {
    this.cancel?.();
    this.cancel = this.later(ms, () => {
      this.cancel = null;
      this.#try();
    });
  }

  async #try() {
    if (this.isTrying) return;
    this.isTrying = true;
    const began = this.now();
    let isGood = false;
    try {
      isGood = await this.try_();
    } catch {
      isGood = false;
    }
    this.isTrying = false;
    this.good = isGood && this.now() - began <= SLOW_MS ? this.good + 1 : 0;
    if (this.good >= 2) {
      this.isOffline = false;
      this.cancel?.();
      this.cancel = null;
      this.tell(false);
      return;
    }
    this.trials = this.good ? 0 : this.trials + 1;
    this.#later(this.good ? SURE_AFTER_MS : this.#wait());
  }
}
