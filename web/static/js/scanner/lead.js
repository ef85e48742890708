/** A lead's word from the verdict: let in against a refusal, and take a scan back, each with a reason. */
import { request } from "./request.js";
import { ofAnswer } from "./verdict.js";

/** Stands in the address where the scan's id goes. */
const NO_SCAN = "00000000-0000-0000-0000-000000000000";
/** Scans that may be taken back right after they were made. */
const UNDOABLE = new Set(["admitted", "exit_recorded", "admitted_by_lead"]);

/**
 * What a lead may do about the verdict on the screen: "admit", "undo" or "". `overrule` is the page's: verdicts, and the
 * checkpoints that one leads (null: all).
 */
export function mayDo(view, { isLead, overrule, checkpoint }) {
  if (!isLead || !view.isSettled || !view.person) return "";
  const leads = overrule.checkpoints === null || overrule.checkpoints.includes(checkpoint?.id);
  if (!leads) return "";
  if (overrule.verdicts.includes(view.verdict)) return "admit";
  return UNDOABLE.has(view.verdict) ? "undo" : "";
}

export class Lead {
  constructor(page) {
    this.page = page;
    this.what = null; // {kind, person, name, target, id, checkpoint}: `id` stays the same when it is sent again
    const $ = (id) => document.getElementById(id);
    this.$ = $;
    for (const kind of ["admit", "undo"]) {
      $(`verdict-${kind}`).addEventListener("click", (event) => {
        event.stopPropagation();
        this.ask(kind);
      });
    }
    $("reason-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  paint(view, shown) {
    const { data, checkpoint } = this.page;
    this.view = view;
    this.shown = shown;
    const may = mayDo(view, { isLead: data.is_lead, overrule: data.overrule, checkpoint: checkpoint() });
    this.$("verdict-admit").hidden = may !== "admit";
    this.$("verdict-undo").hidden = may !== "undo";
  }

  ask(kind) {
    const { strings } = this.page.views();
    this.what = {
      kind,
      person: this.view.person,
      target: this.shown.id,
      id: this.page.newId(),
      checkpoint: this.page.checkpoint().id,
    };
    this.$("reason-name").textContent = this.view.name;
    this.$("reason-what").textContent = this.view.word;
    this.$("reason-send").textContent = kind === "admit" ? strings.admit_anyway : strings.undo;
    this.$("reason-trouble").hidden = true;
    this.$("reason-text").value = "";
    this.page.open("reason");
  }

  async send() {
    const { page, what } = this;
    const reason = this.$("reason-text").value.trim();
    if (!reason || !what || this.isSending) return;
    this.isSending = true;
    this.$("reason-send").disabled = true;
    const { api } = page.data;
    const sent =
      what.kind === "admit"
        ? await request(page.fetch, `${api.card.replace(/\/0$/, `/${what.person}`)}/admit`, {
            scan_id: what.id,
            checkpoint: what.checkpoint,
            reason,
          })
        : await request(page.fetch, api.undo.replace(NO_SCAN, what.target), { id: what.id, reason });
    this.isSending = false;
    this.$("reason-send").disabled = false;
    if (!sent.ok) {
      const trouble = this.$("reason-trouble");
      trouble.textContent = sent.body?.title || page.views().strings.sent_failed;
      trouble.hidden = false;
      // The same id with another reason would be another wish.
      if (sent.status) what.id = page.newId();
      return;
    }
    this.what = null;
    this.$("drawer-reason").close();
    const answer = what.kind === "admit" ? sent.body : undone(sent.body, this.view);
    page.decided(what.id, () => ofAnswer(answer, page.views()), answer.at);
    page.scanned();
  }
}

/** What was taken back, as an answer: whose it was is on the screen. */
function undone({ verdict, words }, view) {
  return {
    verdict,
    words,
    tone: "care",
    help: {},
    at: new Date().toISOString(),
    direction: "undo",
    holder: { passport_id: view.person, name: view.name, line: view.line, ticket_type: { "": view.type }, door_note: {} },
    first: null,
    elsewhere: null,
  };
}
