/**
 * The group that a leader brings: a list with ticks, and everybody ticked let in by one ordinary scan each. Without a
 * network the list is the phone's own, and so are the verdicts; the scans wait like all others.
 */
import { letsIn } from "./doorman.js";
import { make, request } from "./request.js";
import { badgeOf, clock, fill, inLocale, noticeOf, ofWaiting, otherLocale } from "./verdict.js";

const NOT_HEARD = { ok: false, status: 0, body: null };
/** Whether somebody goes in by what is shown of them. */
const goesIn = ({ verdict, tone }) => verdict === "unknown_yet" || letsIn({ code: verdict, tone });

/** Who is ticked when the list opens: whoever may come in and is not here. */
export function ticked(people) {
  return people.filter((one) => !one.here_since && one.status === "valid").map((one) => one.passport_id);
}

/** The arrival's body; the same `id` gives everybody the same scan, however often it is sent. */
export function arrivalOf({ id, leader, checkpoint, chosen }) {
  return { id, passport_id: leader, checkpoint, members: chosen.map((passportId) => ({ passport_id: passportId })) };
}

export class Group {
  constructor(page) {
    this.page = page;
    this.found = null;
    this.chosen = new Set();
    this.said = new Map();
    this.sending = null; // {id, key}: one id for one set of ticks
    const $ = (id) => document.getElementById(id);
    this.$ = $;
    $("group-all").addEventListener("click", () => this.choose(this.found?.people.filter((one) => !one.here_since).map((one) => one.passport_id) ?? []));
    $("group-nobody").addEventListener("click", () => this.choose([]));
    $("group-admit").addEventListener("click", () => this.admit());
  }

  async open(leader) {
    const checkpoint = this.page.checkpoint();
    if (!checkpoint) {
      this.page.open("choose");
      return;
    }
    Object.assign(this, { leader, found: null, said: new Map(), sending: null, checkpoint });
    this.show();
    this.page.open("group");
    await this.read();
  }

  async read({ keep = false } = {}) {
    const { page, leader, checkpoint } = this;
    const sent = await this.ask(`${page.data.api.group}?passport_id=${leader}&at=${checkpoint.id}`);
    const found = sent.status ? sent.body : await page.station.group(leader, checkpoint.id);
    if (leader !== this.leader) return;
    if (!found?.people) {
      this.trouble(found?.title || page.views().strings.group_failed);
      return;
    }
    this.found = found;
    if (!keep) this.chosen = new Set(ticked(found.people));
    this.show();
  }

  /** Nobody waits for a network that is known to be away. */
  async ask(url, body) {
    return this.page.station.isOffline ? NOT_HEARD : request(this.page.fetch, url, body);
  }

  choose(passportIds) {
    this.chosen = new Set(passportIds);
    this.show();
  }

  async admit() {
    const { page } = this;
    const chosen = this.found?.people.map((one) => one.passport_id).filter((one) => this.chosen.has(one)) ?? [];
    if (!chosen.length || this.isSending) return;
    const key = chosen.join(" ");
    if (this.sending?.key !== key) this.sending = { id: page.newId(), key };
    this.isSending = true;
    this.$("group-admit").disabled = true;
    const body = arrivalOf({ id: this.sending.id, leader: this.leader, checkpoint: this.checkpoint.id, chosen });
    const sent = await this.ask(page.data.api.arrival, body);
    if (!sent.status && page.station.snapshot.state !== "none") {
      // Perhaps it did arrive, and only the answer was lost: a phone's own repeat counts once and is no conflict.
      await this.admitHere(chosen);
      return;
    }
    this.isSending = false;
    const { strings } = page.views();
    if (!sent.ok) {
      this.show();
      this.trouble([sent.body?.title || strings.group_failed, sent.status ? "" : strings.group_same].filter(Boolean).join(" "));
      return;
    }
    this.sending = null;
    for (const one of sent.body.results) {
      this.said.set(one.passport_id, one.ok ? { tone: one.tone, words: one.words } : { tone: "stop", words: { en: one.title, "zh-Hans": one.title } });
    }
    this.chosen = new Set();
    page.play(sent.body.admitted === chosen.length ? "go" : "care");
    page.scanned();
    await this.read({ keep: true });
    this.trouble(fill(strings.group_done, { admitted: sent.body.admitted, ticked: chosen.length }));
  }

  /** Each of them is a scan like any other, decided by this phone. */
  async admitHere(chosen) {
    const { page, said, found } = this;
    const list = await page.station.group(this.leader, this.checkpoint.id);
    const views = await Promise.all(
      chosen.map(async (passportId) => {
        const one = found.people.find((person) => person.passport_id === passportId);
        const member = list?.people.find((person) => person.passport_id === passportId);
        return this.scan(member?.known ?? (await page.station.find(one.short_code)), (latest) => {
          said.set(passportId, this.inBoth(latest));
          if (goesIn(latest)) one.here_since ??= new Date().toISOString();
          if (this.said === said) this.show();
        });
      }),
    );
    this.isSending = false;
    this.sending = null;
    const admitted = views.filter(goesIn).length;
    page.play(views.every((view) => view.tone === "go") ? "go" : "care");
    if (this.said !== said) return;
    this.chosen = new Set();
    this.show();
    this.trouble(fill(page.views().strings.group_done, { admitted, ticked: chosen.length }));
  }

  /** The verdict of one of them; `heard` is told of it, and of a second where the first was that nothing got through. */
  scan(found, heard) {
    const { page, checkpoint } = this;
    return new Promise((done) => {
      const listed = (view) => {
        heard(view);
        done(view);
      };
      const key = `${checkpoint.id} entry ${found.code}`;
      const scan = { scanId: page.newId(), found, key, checkpoint: checkpoint.id, direction: "entry", listed };
      if (!page.station.take(scan)) listed(ofWaiting("full", page.views()));
    });
  }

  inBoth({ tone, word, other }) {
    const { locale } = this.page.views();
    return { tone, words: { [locale]: word, [otherLocale(locale)]: other } };
  }

  trouble(words) {
    this.$("group-trouble").textContent = words;
    this.$("group-trouble").hidden = !words;
  }

  show() {
    const { locale, timeZone, strings } = this.page.views();
    const { $, found } = this;
    const here = found?.people.filter((one) => one.here_since) ?? [];
    this.trouble("");
    $("group-name").textContent = found
      ? [found.name, fill(strings.group_here, { here: here.length, total: found.people.length }), found.isLocal ? strings.offline_mark : ""].filter(Boolean).join(" · ")
      : strings.asking;
    for (const id of ["group-all", "group-nobody"]) $(id).hidden = !found;
    $("group-list").replaceChildren(...(found?.people ?? []).map((one) => this.row(one, { locale, timeZone, strings })));
    this.count();
  }

  row(one, { locale, timeZone, strings }) {
    const box = make("input", { type: "checkbox", checked: this.chosen.has(one.passport_id) });
    box.addEventListener("change", () => {
      this.chosen[box.checked ? "add" : "delete"](one.passport_id);
      this.count();
    });
    const about = [one.line, inLocale(one.ticket_type, locale), badgeOf(one.badge, strings)].filter(Boolean).join(" · ");
    const notice = noticeOf(one.notice, { locale, strings });
    const said = this.said.get(one.passport_id);
    const state = said
      ? make("span", { className: `state state--${said.tone}`, text: inLocale(said.words, locale) })
      : one.here_since
        ? make("span", { className: "soft num", text: `${strings.here} ${clock(one.here_since, locale, timeZone)}` })
        : one.status !== "valid"
          ? make("span", { className: "state state--care", text: strings[`status_${one.status}`] })
          : null;
    return make(
      "li",
      {},
      make(
        "label",
        { className: "pick pick--tick" },
        box,
        make("span", { className: "found__name", text: one.name }),
        make("span", { className: "found__more", text: about }),
        notice ? make("span", { className: "found__notice", text: notice }) : null,
        state,
      ),
    );
  }

  count() {
    const { strings } = this.page.views();
    const button = this.$("group-admit");
    button.hidden = !this.found;
    button.disabled = !this.chosen.size || Boolean(this.isSending);
    button.textContent = fill(strings.group_admit, { count: this.chosen.size });
  }
}
