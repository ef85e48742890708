/** How fast a lead's own lanes are: asked every few seconds while the drawer is open, mostly answered with 304. */
import { make, request } from "./request.js";
import { clock, fill, inLocale } from "./verdict.js";

const EVERY_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";

/** The last five minutes of a lane, and its share of refusals in the last ten. Pure. */
export function figures(lane) {
  const last = (steps, count) => steps.slice(-count).reduce((sum, one) => sum + one, 0);
  const scans = last(lane.scans, 2);
  return { rate: last(lane.scans, 1), refused: last(lane.refused, 2), percent: scans ? Math.round((100 * last(lane.refused, 2)) / scans) : 0 };
}

export class LanesDrawer {
  constructor(page) {
    this.page = page;
    this.drawer = document.getElementById("drawer-lanes");
    if (!this.drawer) return;
    this.etag = "";
    this.timer = 0;
    document.querySelector('[data-drawer="lanes"]').addEventListener("click", () => setTimeout(() => this.read())); // once it is open
    this.drawer.addEventListener("close", () => clearTimeout(this.timer));
  }

  async read() {
    clearTimeout(this.timer);
    if (!this.drawer.open) return;
    if (!document.hidden) {
      const sent = await request(this.page.fetch, this.page.data.api.lanes, undefined, this.etag ? { "if-none-match": this.etag } : {});
      const stale = document.getElementById("lanes-stale");
      if (sent.ok) {
        this.etag = sent.headers.get("etag") ?? "";
        this.found = sent.body;
        this.ahead = Date.parse(sent.body.server_time) - Date.now();
      }
      const isHeard = sent.ok || sent.status === 304;
      if (isHeard) this.heard = Date.now() + (this.ahead ?? 0);
      const { strings, locale, timeZone } = this.page.views();
      stale.hidden = isHeard;
      if (!isHeard) {
        stale.textContent = this.heard
          ? fill(strings.lanes_stale, { when: clock(new Date(this.heard).toISOString(), locale, timeZone) })
          : strings.sent_failed;
      }
      this.show();
    }
    this.timer = setTimeout(() => this.read(), EVERY_MS);
  }

  show() {
    if (!this.found) return;
    const { strings, locale, timeZone } = this.page.views();
    document.getElementById("lanes-none").hidden = this.found.lanes.length > 0;
    document.getElementById("lanes-list").replaceChildren(
      ...this.found.lanes.map((lane) => {
        const { rate, refused, percent } = figures(lane);
        const last = lane.last_at ? fill(strings.lanes_last, { when: clock(lane.last_at, locale, timeZone) }) : strings.lanes_never;
        const said = [refused ? fill(strings.lanes_refused, { refused: `${refused} (${percent} %)` }) : "", last];
        return make(
          "li",
          { className: "row lane-row" },
          make("p", { className: "row__title", text: inLocale(lane.name, locale) }),
          make("p", { className: "row__meta" }, ...said.filter(Boolean).map((text) => make("span", { text }))),
          bars(lane.scans, lane.refused),
          make(
            "p",
            { className: "row__side num" },
            lane.is_open ? make("b", { text: fill(strings.lanes_rate, { scans: rate }) }) : make("span", { className: "state state--stop", text: strings.closed }),
          ),
        );
      }),
    );
  }
}

function bars(scans, refused) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${scans.length} 10`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  picture.setAttribute("class", "lane-row__bars");
  const most = Math.max(1, ...scans);
  scans.forEach((value, index) => {
    for (const [count, name] of [[value, "all"], [refused[index], "refused"]]) {
      if (!count) continue;
      const bar = document.createElementNS(SVG, "rect");
      const height = Math.max(0.6, (10 * count) / most);
      for (const [key, one] of Object.entries({ x: index + 0.1, y: 10 - height, width: 0.8, height })) bar.setAttribute(key, String(one));
      bar.setAttribute("class", `lane-row__${name}`);
      picture.append(bar);
    }
  });
  return picture;
}
