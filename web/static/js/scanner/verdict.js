/**
 * What the screen says of an answer. Pure: an answer and words in, plain values out; app.js puts them on the screen.
 */

export const SYMBOLS = { go: "check", care: "triangle-alert", stop: "ban", wait: "clock" };
/** Milliseconds of vibration and pause: felt apart without looking. */
export const VIBRATIONS = { go: [70], care: [70, 90, 70], stop: [400] };

/** Content in the reader's language, or the nearest there is. */
export function inLocale(text, locale) {
  if (!text) return "";
  if (text[locale]) return text[locale];
  const language = locale.split("-")[0];
  const near = Object.keys(text).find((tag) => tag.split("-")[0] === language && text[tag]);
  return text[near] || text["zh-Hans"] || text.en || Object.values(text).find(Boolean) || "";
}

/** The other of the interface's two languages, shown small: the person in front may read that one. */
export function otherLocale(locale) {
  return locale === "en" ? "zh-Hans" : "en";
}

/** `%(name)s` as the catalogues write it. */
export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function clock(iso, locale, timeZone) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone };
  return new Intl.DateTimeFormat(locale === "en" ? "en-GB" : "zh-CN", options).format(new Date(iso));
}

export function day(iso, locale, timeZone) {
  const options = { month: "short", day: "numeric", timeZone };
  return new Intl.DateTimeFormat(locale === "en" ? "en-GB" : "zh-CN", options).format(new Date(iso));
}

/** "09:41, north gate", with the day in front when it was another one. */
export function when(first, now, { locale, timeZone }) {
  const parts = [clock(first.at, locale, timeZone), inLocale(first.checkpoint, locale)];
  const isToday = day(first.at, locale, timeZone) === day(now, locale, timeZone);
  return [isToday ? "" : day(first.at, locale, timeZone), ...parts].filter(Boolean).join(" · ");
}

/**
 * An answer of the API as the lines of the verdict. `strings` are the interface's own words in the chosen language.
 */
export function ofAnswer(answer, { locale, timeZone, strings }) {
  const holder = answer.holder;
  const lines = [];
  if (answer.first) lines.push(fill(strings.first_time, { when: when(answer.first, answer.at, { locale, timeZone }) }));
  if (answer.elsewhere) lines.push(fill(strings.go_to, { checkpoint: inLocale(answer.elsewhere.name, locale) }));
  if (!answer.first && !answer.elsewhere && answer.tone !== "go") lines.push(inLocale(answer.help, locale));
  return {
    tone: answer.tone,
    symbol: SYMBOLS[answer.tone],
    word: inLocale(answer.words, locale),
    other: inLocale(answer.words, otherLocale(locale)),
    name: holder?.name ?? "",
    line: holder?.line ?? "",
    type: holder ? inLocale(holder.ticket_type, locale) : "",
    // A note on lanyards and coupons is for those who come in; a refused one gets none.
    // A word to staff about this very person, whatever the verdict.
    notice: noticeOf(answer.notice, { locale, strings }),
    attention: Boolean(answer.notice?.attention),
    person: holder?.passport_id ?? null,
    leadsGroup: Boolean(holder?.leads_group),
    verdict: answer.verdict ?? answer.said ?? "",
    badge: badgeOf(holder?.badge, strings),
    note: holder && answer.tone !== "stop" && answer.direction === "entry" ? inLocale(holder.door_note, locale) : "",
    lines: lines.filter(Boolean),
    isSettled: true,
  };
}

/** "Box C · 217", as it is looked for; empty where neither was given. */
export function badgeOf(badge, strings) {
  if (!badge) return "";
  const box = badge.box ? fill(strings.box ?? "%(box)s", { box: badge.box }) : "";
  return [box, badge.number ?? ""].filter((part) => part !== "").join(" · ");
}

/** What this phone decided itself: the same words and colours, and a mark that says so. */
export function ofLocal(answer, { locale, timeZone, strings, otherStrings }) {
  const code = answer.verdict;
  const both = (key) => ({ [locale]: strings[key], [otherLocale(locale)]: otherStrings[key] });
  const view = ofAnswer({ ...answer, words: both(`verdict_${code}`), help: both(`verdict_help_${code}`) }, { locale, timeZone, strings });
  // Their own words say already that nobody can be sure.
  if (!answer.isCertain && !["unknown_yet", "full"].includes(code) && answer.tone === "care") view.lines.push(strings.offline_unsure);
  return { ...view, mark: strings.offline_mark };
}

/** "Attention: please see the speakers' desk"; empty without a note. */
export function noticeOf(notice, { locale, strings }) {
  if (!notice) return "";
  return [notice.attention ? strings.attention : "", inLocale(notice.text, locale)].filter(Boolean).join(": ");
}

/** What is shown while nothing is decided: asking, unsent, busy, signin. No name is known, nobody is admitted. */
export function ofWaiting(state, { strings, otherStrings }) {
  return {
    tone: state === "asking" ? "wait" : "care",
    symbol: state === "asking" ? SYMBOLS.wait : { unsent: "wifi-off", signin: "log-in" }[state] ?? "clock",
    word: strings[state],
    other: otherStrings[state],
    name: "",
    line: "",
    type: "",
    note: "",
    lines: [strings[`${state}_help`]].filter(Boolean),
    isSettled: false,
  };
}

/** A request that the server refused to take (not your checkpoint, malformed): nothing was decided about anybody. */
export function ofProblem(problem, { strings, otherStrings }) {
  return {
    tone: "stop",
    symbol: SYMBOLS.stop,
    word: strings.not_taken,
    other: otherStrings.not_taken,
    name: "",
    line: "",
    type: "",
    note: "",
    lines: [problem.title || strings.not_taken_help],
    isSettled: true,
  };
}
