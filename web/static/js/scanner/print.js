/** "Print the badge" from the verdict: a wish to a print station, remembered on this phone; sent twice it is one job. */
import { make, request } from "./request.js";
import { keep, recall } from "./device.js";
import { fill } from "./verdict.js";

/** The station to send to: the remembered one while it is there, the only one, or none (then one is chosen). Pure. */
export function stationOf(stations, remembered) {
  return stations.find((one) => String(one.id) === String(remembered)) ?? (stations.length === 1 ? stations[0] : null);
}

/** What became of a wish, in words. */
export function told(job, station, strings) {
  if (job.state === "failed") return fill(strings.print_failed, { station: station.name });
  if (job.state === "printed") return fill(strings.print_done, { station: station.name });
  const ahead = job.ahead ? fill(strings.print_ahead, { count: job.ahead }) : "";
  return [fill(strings.print_sent, { station: station.name }), ahead, job.is_there ? "" : strings.print_nobody].filter(Boolean).join(" · ");
}

export class Print {
  constructor(page) {
    this.page = page;
    const $ = (id) => document.getElementById(id);
    this.$ = $;
    this.key = `station.${page.data.slug}`;
    this.stations = page.data.stations;
    this.wishes = new Map(); // scan id -> request id: pressing again is the same wish
    $("verdict-print").addEventListener("click", (event) => {
      event.stopPropagation();
      this.wish();
    });
  }

  paint(view, shown) {
    this.view = view;
    this.shown = shown;
    const may = view.isSettled && view.person && view.tone !== "stop" && (this.stations ?? []).length > 0;
    if (this.stations === null && view.isSettled) this.read();
    this.$("verdict-print").hidden = !may;
    if (this.said?.id !== shown.id) this.say("");
  }

  /** A page that is the same for everybody was given none: they are asked for once. */
  async read() {
    if (this.isReading) return;
    this.isReading = true;
    const sent = await request(this.page.fetch, this.page.data.api.stations);
    this.isReading = false;
    if (!sent.ok) return;
    this.stations = sent.body.stations;
    if (this.shown) this.paint(this.view, this.shown);
  }

  say(text, id = null) {
    this.said = text ? { id } : null;
    this.$("verdict-printed").textContent = text;
    this.$("verdict-printed").hidden = !text;
  }

  wish() {
    const station = stationOf(this.stations, recall(this.key));
    if (station) this.send(station);
    else this.choose();
  }

  choose() {
    this.$("stations-list").replaceChildren(
      ...this.stations.map((station) => {
        const button = make("button", { className: "pick pick--badges", type: "button" }, make("b", { text: station.name }));
        button.addEventListener("click", () => {
          keep(this.key, String(station.id));
          this.$("drawer-stations").close();
          this.send(station);
        });
        return make("li", {}, button);
      }),
    );
    this.page.open("stations");
  }

  async send(station) {
    const { page } = this;
    const { id, person } = { id: this.shown.id, person: this.view.person };
    const { strings } = page.views();
    const wish = this.wishes.get(id) ?? page.newId();
    this.wishes.set(id, wish);
    this.say(strings.asking, id);
    const sent = await request(page.fetch, page.data.api.print, { id: wish, station: station.id, passport_id: person });
    if (this.shown?.id !== id) return;
    if (sent.ok) this.say(told(sent.body, station, strings), id);
    else this.say(sent.body?.title || strings.sent_failed, id);
    // A closed or full station: another wish may go elsewhere.
    if (sent.status >= 400 && sent.status < 500) {
      this.wishes.delete(id);
      if (this.stations.length > 1) this.choose();
    }
  }
}
