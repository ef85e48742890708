/** What the screen says about the network, about scans that others have to look at, and about the end of a pairing. */
import { inLocale, clock, fill } from "./verdict.js";

const $ = (id) => document.getElementById(id);
const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

/** The problem that is said when there are several: what may lose scans comes first. */
const PROBLEMS = ["storage_full", "storage", "snapshot"];

export class OfflinePanel {
  constructor({ station, data, views, write, open }) {
    Object.assign(this, { station, data, views, write, open });
    this.end = null; // {title, help, count}: the screen that covers all others
    $("conflicts-open").addEventListener("click", () => open("conflicts"));
  }

  /** Everything of it, in the language of now. */
  paint() {
    document.documentElement.dataset.list = this.station.snapshot?.state ?? "none";
    const { strings } = this.views();
    const { station } = this;
    $("offline").hidden = !station.isOffline;
    const hasList = station.snapshot && station.snapshot.state !== "none";
    this.write($("offline-help"), station.isOffline ? strings[hasList ? "offline_on" : "offline_none"] : "");
    const problem = PROBLEMS.find((code) => station.problems.has(code) && !(code === "snapshot" && station.isOffline));
    this.write($("problem"), problem ? strings[`problem_${problem}`] : "");
    const count = station.conflicts.length;
    $("conflicts-open").hidden = !count;
    $("conflicts-count").textContent = fill(strings.conflicts_of, { count });
    if ($("drawer-conflicts").open) this.list();
    if (this.end) this.#cover();
  }

  // --- conflicts ---------------------------------------------------------------------------------------------------

  list() {
    const { conflicts } = this.station;
    $("conflicts-none").hidden = conflicts.length > 0;
    $("conflicts-list").replaceChildren(...[...conflicts].reverse().map((one) => this.#row(one)));
  }

  #row(one) {
    const { locale, timeZone, strings } = this.views();
    const at = ({ at, checkpoint }) => [clock(at, locale, timeZone), inLocale(this.#place(checkpoint), locale)].filter(Boolean).join(" · ");
    const row = make("li", "clash");
    const told = one.local === "refused" ? strings.conflict_away : strings.conflict_in;
    row.append(
      make("p", "clash__name", one.holder?.name || strings.conflict_nobody),
      make("p", "", inLocale(one.title, locale)),
      make("p", "soft", `${told}: ${at(one)} → ${inLocale(one.words, locale)}`),
    );
    if (one.other) row.append(make("p", "soft", fill(strings.first_time, { when: at(one.other) })));
    const button = make("button", "button button--secondary", strings.conflict_dealt);
    button.type = "button";
    button.addEventListener("click", async () => {
      button.disabled = true;
      const isDone = await this.station.dealt(one.scan_id);
      button.disabled = false;
      this.write($("conflicts-failed"), isDone ? "" : this.views().strings.dealt_failed);
    });
    row.append(button);
    return row;
  }

  #place(checkpoint) {
    return this.station.snapshot.world?.places[checkpoint] ?? this.data.checkpoints.find(({ id }) => id === checkpoint)?.name;
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  /** The pairing was ended by somebody, or by its time. Its time alone leaves the page as it is: the queue has to go. */
  over(why) {
    this.end = why === "device_expired" ? { key: "over_expired" } : { key: "over_revoked" };
    this.#cover();
  }

  wiped(count) {
    this.end = { key: "wiped", count };
    this.#cover();
  }

  unpaired() {
    this.end = { key: "unpaired" };
    this.#cover();
  }

  #cover() {
    const { strings } = this.views();
    const { key, count = 0 } = this.end;
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    $("over-title").textContent = strings[key];
    // Nothing was handed over: then nothing is said of it.
    const hides = key === "wiped" && !count;
    this.write($("over-help"), hides ? "" : fill(strings[`${key}_help`], { count }));
    $("over-pair").hidden = key === "over_revoked";
    $("over").hidden = false;
    $("main").inert = true;
  }
}
