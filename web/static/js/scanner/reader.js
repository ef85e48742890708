/**
 * A reader that types: it sends a code's characters faster than any hand, then Enter. Pure but for the event it is fed.
 */

/** Slower than this between two characters is a person. Cheap Bluetooth readers need up to 60 ms. */
const BETWEEN_MS = 100;
const SHORTEST = 6;

export class TypedReader {
  constructor() {
    this.clear();
  }

  clear() {
    this.text = "";
    this.last = -Infinity;
  }

  /** Feed every keydown, with the time at which the key went down (a busy page hears of it later); gives the code
   *  when Enter ends a burst, else null. */
  key({ key, timeStamp, ctrlKey = false, metaKey = false, altKey = false }) {
    const isFast = timeStamp - this.last <= BETWEEN_MS;
    if (key === "Enter" || key === "Tab") {
      const code = isFast && this.text.length >= SHORTEST ? this.text : null;
      this.clear();
      return code;
    }
    // Shift and its like come between characters.
    if (key.length !== 1 || ctrlKey || metaKey || altKey) return null;
    this.text = isFast ? this.text + key : key;
    this.last = timeStamp;
    return null;
  }
}
