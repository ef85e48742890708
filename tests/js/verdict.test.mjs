import assert from "node:assert/strict";
import { test } from "node:test";

import { fill, inLocale, ofAnswer, ofProblem, ofWaiting, when } from "../../web/static/js/scanner/verdict.js";

const strings = {
  first_time: "First: %(when)s",
  go_to: "Please go to: %(checkpoint)s",
  asking: "One moment",
  unsent: "Not sent",
  unsent_help: "It is sent again by itself.",
  not_taken: "Not taken",
};
const context = { locale: "en", timeZone: "Asia/Shanghai", strings, otherStrings: strings };
const answer = {
  verdict: "admitted",
  tone: "go",
  words: { "zh-Hans": "欢迎", en: "Welcome" },
  help: { "zh-Hans": "请进", en: "Please come in." },
  at: "2023-10-28T01:41:00Z",
  direction: "entry",
  holder: {
    name: "林小满",
    line: "开源社",
    ticket_type: { "zh-Hans": "讲师", en: "Speaker" },
    door_note: { "zh-Hans": "红色挂绳", en: "Red lanyard" },
  },
  first: null,
  elsewhere: null,
};

test("an admission: word in both languages, who, as what, and what to hand out", () => {
  assert.deepEqual(ofAnswer(answer, context), {
    tone: "go",
    symbol: "check",
    word: "Welcome",
    other: "欢迎",
    name: "林小满",
    line: "开源社",
    type: "Speaker",
    note: "Red lanyard",
    notice: "",
    attention: false,
    person: null,
    leadsGroup: false,
    verdict: "admitted",
    badge: "",
    lines: [],
    isSettled: true,
  });
  const chinese = ofAnswer(answer, { ...context, locale: "zh-Hans" });
  assert.deepEqual([chinese.word, chinese.other, chinese.type, chinese.note], ["欢迎", "Welcome", "讲师", "红色挂绳"]);
});

test("a word to staff is shown whatever the verdict, and a leader's card leads to the group", () => {
  const notice = { text: { "zh-Hans": "请到讲师接待处", en: "Please see the speakers' desk" }, attention: true };
  const holder = { ...answer.holder, passport_id: 7, leads_group: true };
  const strings = { ...context.strings, attention: "Attention" };
  for (const tone of ["go", "care", "stop"]) {
    const view = ofAnswer({ ...answer, tone, holder, notice }, { ...context, strings });
    assert.equal(view.notice, "Attention: Please see the speakers' desk");
    assert.deepEqual([view.attention, view.person, view.leadsGroup], [true, 7, true]);
  }
  const quiet = ofAnswer({ ...answer, notice: { text: {}, attention: true } }, { ...context, strings });
  assert.equal(quiet.notice, "Attention");
});

test("a repeat says when and where the first was, with the day when it was another", () => {
  const first = { at: "2023-10-28T01:09:00Z", checkpoint: { "zh-Hans": "北门", en: "North gate" } };
  const again = { ...answer, tone: "care", first };
  assert.deepEqual(ofAnswer(again, context).lines, ["First: 09:09 · North gate"]);
  const tomorrow = { ...again, at: "2023-10-29T01:41:00Z" };
  assert.deepEqual(ofAnswer(tomorrow, context).lines, ["First: 28 Oct · 09:09 · North gate"]);
});

test("a wrong ticket type names the checkpoint that would accept it", () => {
  const elsewhere = { id: 2, name: { "zh-Hans": "讲师通道", en: "Speakers' entrance" } };
  const refused = { ...answer, tone: "stop", elsewhere };
  const view = ofAnswer(refused, context);
  assert.deepEqual(view.lines, ["Please go to: Speakers' entrance"]);
  assert.equal(view.note, "", "who is refused gets no lanyard");
});

test("a refusal of nobody in particular says what to do", () => {
  const view = ofAnswer({ ...answer, tone: "stop", holder: null, help: { en: "Look them up." } }, context);
  assert.deepEqual([view.name, view.type, view.lines], ["", "", ["Look them up."]]);
});

test("nothing undecided is green or has a name", () => {
  for (const state of ["asking", "unsent", "busy", "signin", "full"]) {
    const view = ofWaiting(state, { strings, otherStrings: strings });
    assert.equal(view.isSettled, false);
    assert.equal(view.name, "");
    assert.equal(view.tone, state === "asking" ? "wait" : "care");
  }
  assert.equal(ofProblem({ status: 403, title: "Not yours" }, context).tone, "stop");
});

test("content falls back by language, then to Chinese, English, anything", () => {
  assert.equal(inLocale({ "zh-Hant": "講師" }, "zh-Hans"), "講師");
  assert.equal(inLocale({ "zh-Hans": "讲师", en: "" }, "en"), "讲师");
  assert.equal(inLocale({ ja: "講演者" }, "en"), "講演者");
  assert.equal(inLocale(null, "en"), "");
});

test("unknown placeholders stay as they are", () => {
  assert.equal(fill("%(a)s %(b)s", { a: "$&" }), "$& %(b)s");
});

test("midnight in the event's zone decides what another day is", () => {
  const context = { locale: "en", timeZone: "Asia/Shanghai" };
  const first = { at: "2023-10-28T15:50:00Z", checkpoint: { en: "Gate" } };
  assert.equal(when(first, "2023-10-28T15:55:00Z", context), "23:50 · Gate");
  assert.equal(when(first, "2023-10-28T16:05:00Z", context), "28 Oct · 23:50 · Gate");
});
