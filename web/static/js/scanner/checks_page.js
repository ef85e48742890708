/** What the pairing page and the phone test show of their checks. */
import { copy } from "./device.js";
import { spoken } from "./checks.js";

const STATES = { passed: "go", failed: "stop", asked: "note" };

/** The list of checks on the page (templates/checkin/parts/checks.html). */
export class Report {
  constructor(words, list = document.getElementById("checks")) {
    this.words = words;
    this.list = list;
  }

  /** `state`: passed, failed, asked; every check that the page has no line for is left out. */
  set(name, state) {
    const row = this.list.querySelector(`[data-check="${name}"]`);
    if (!row) return;
    row.dataset.state = state;
    const word = row.querySelector(".checks__state");
    word.className = `state state--${STATES[state]} checks__state`;
    word.textContent = this.words[state];
    row.querySelector(".checks__help").hidden = state !== "failed";
  }
}

/** "Better in another browser", with the code to type there where one is known. */
export function elsewhere({ isNeeded, short, words }) {
  const box = document.getElementById("elsewhere");
  box.hidden = !isNeeded;
  document.getElementById("elsewhere-code").hidden = !short;
  document.getElementById("elsewhere-short").textContent = short ? spoken(short) : "";
  document.getElementById("elsewhere-copy").onclick = async () => {
    document.getElementById("elsewhere-copied").textContent = (await copy(location.href)) ? words.copied : "";
  };
}
