/**
 * Handing badges out: while it is on, a code marks the badge as handed over and lets nobody in.
 *
 * It needs the network: whether somebody has the badge already is known by the server alone. What did not arrive is said
 * and sent again under the same id when the code is shown again.
 */
import { request } from "./request.js";
import { ofAnswer, ofWaiting } from "./verdict.js";

/** The same code within so long is the same act: it is still in front of the camera. */
const AGAIN_MS = 5000;

/** One act for one showing of a code: the id to send, or null when its answer is on the screen. Pure but for its memory. */
export class Acts {
  constructor({ newId, now }) {
    this.newId = newId;
    this.now = now;
    this.known = new Map(); // code -> {id, at, isDone}
  }

  next(code) {
    const known = this.known.get(code);
    const now = this.now();
    if (known && !known.isDone) return known.isSending ? null : known;
    if (known && now - known.at < AGAIN_MS) {
      known.at = now;
      return null;
    }
    const act = { id: this.newId(), at: now, isDone: false, isSending: false };
    this.known.set(code, act);
    return act;
  }
}

export class BadgeDesk {
  constructor(page) {
    this.page = page;
    this.isOn = false;
    this.acts = new Acts({ newId: page.newId, now: () => performance.now() });
    this.bar = document.getElementById("badges-mode");
    document.getElementById("badges-start").addEventListener("click", () => {
      this.turn(true);
      document.getElementById("drawer-choose").close();
    });
    document.getElementById("badges-end").addEventListener("click", () => this.turn(false));
    // A checkpoint chosen is scanned at.
    for (const link of document.querySelectorAll("#drawer-choose [data-checkpoint]")) {
      link.addEventListener("click", () => this.turn(false));
    }
  }

  turn(on) {
    this.isOn = on;
    this.bar.hidden = !on;
    document.getElementById("main").classList.toggle("scanner--badges", on);
  }

  /** Whether a code is for us; then it is dealt with. */
  takes(code) {
    if (!this.isOn) return false;
    const act = this.acts.next(code);
    if (act) this.hand(code, act);
    return true;
  }

  async hand(code, act) {
    const { page } = this;
    act.isSending = true;
    page.say(act.id, "asking", () => ofWaiting("asking", page.views()), false);
    const sent = await request(page.fetch, page.data.api.hand_over, { id: act.id, code });
    act.isSending = false;
    if (sent.ok) {
      act.isDone = true;
      act.at = performance.now();
      page.decided(act.id, () => ofAnswer(sent.body, page.views()), sent.body.at);
      return;
    }
    const state = sent.status === 401 ? "signin" : "unsent";
    page.say(act.id, `badge-${state}`, () => waiting(state, sent.body, page.views()), true);
    page.play("care");
  }
}

function waiting(state, body, views) {
  const said = ofWaiting(state, views);
  return { ...said, lines: [body?.title || (state === "unsent" ? views.strings.badges_unsent_help : said.lines[0])] };
}
