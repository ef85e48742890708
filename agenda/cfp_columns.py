"""The columns of a list of proposals and speakers: what each is called, on the way out and on the way in. Pure.

A line is a proposal with one of its speakers; further speakers stand on further lines with the proposal's code or
external id. A column is named by a key: a word, and behind a colon the language of its text (``title:en``), or the code
of a question (``answer:seats``). An empty language is guessed from each text: Chinese where it has a Chinese character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agenda.cfp_queries import FieldFacts
from agenda.proposal_rules import Subject
from events.contacts import match_key
from events.exporting import restore
from events.rules import FieldKind
from kernel.text import N_


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    #: Other words of headers, folded as ``_label`` does.
    words: tuple[str, ...] = ()
    #: One column for each language.
    is_text: bool = False
    #: For those alone who may see personal data.
    is_personal: bool = False
    #: Of the speaker on the line, not of the proposal.
    of_speaker: bool = False


COLUMNS: Final = (
    Column("code", N_("Proposal code"), ("code", "proposalid", "sessionid", "编号", "稿件编号", "投稿编号", "议题编号")),
    Column("external_id", N_("External ID"), ("id", "externalid", "外部编号", "外部id", "序列号")),
    Column("state", N_("State"), ("status", "状态", "审核状态")),
    Column("title", N_("Title"), ("proposaltitle", "sessiontitle", "talktitle", "topic", "标题", "题目", "议题", "议题名称", "议题标题", "演讲题目", "演讲主题", "主题"), is_text=True),
    Column("abstract", N_("Abstract"), ("summary", "摘要", "简介", "议题简介", "内容简介", "议题摘要", "演讲摘要"), is_text=True),
    Column("description", N_("Description"), ("details", "outline", "详情", "详细描述", "描述", "议题详情", "内容大纲", "大纲"), is_text=True),
    Column("type", N_("Kind of session"), ("sessiontype", "type", "format", "sessionformat", "submissiontype", "形式", "类型", "议题类型", "演讲形式", "环节类型")),
    Column("forum", N_("Forum"), ("track", "分论坛", "论坛", "所属论坛", "投稿方向", "方向", "专场")),
    Column("minutes", N_("Length in minutes"), ("duration", "minutes", "length", "时长", "分钟", "演讲时长", "时长分钟")),
    Column("language", N_("Language of the talk"), ("talklanguage", "contentlocale", "演讲语言", "议题语言")),
    Column("level", N_("Level"), ("difficulty", "难度", "难度级别", "级别")),
    Column("audience", N_("For whom it is"), ("audience", "targetaudience", "目标听众", "听众", "受众", "适合人群")),
    Column("takeaways", N_("What people take home"), ("takeaways", "benefits", "听众收益", "收益", "收获")),
    Column("previous_talks", N_("Talks given before"), ("previoustalks", "演讲经历", "过往演讲", "过往演讲经历")),
    Column("equipment", N_("Equipment"), ("设备", "设备需求")),
    Column("notes", N_("Notes for the organisers"), ("notes", "备注", "给组织者的备注")),
    Column("tags", N_("Tags"), ("tag", "标签")),
    Column("submitted_at", N_("Handed in on"), ("submittedat", "submitted", "created", "提交时间", "投稿时间")),
    Column("speaker.code", N_("Speaker code"), ("speakerid", "讲师编号"), of_speaker=True),
    Column("speaker.external_id", N_("Speaker's external ID"), ("speakerexternalid", "讲师外部编号"), of_speaker=True),
    Column("speaker.name", N_("Speaker"), ("speakername", "name", "fullname", "presenter", "author", "姓名", "讲师", "讲师姓名", "演讲者", "嘉宾", "嘉宾姓名", "演讲嘉宾", "讲者"), is_text=True, of_speaker=True),
    Column("speaker.organisation", N_("Organisation"), ("company", "affiliation", "organization", "公司", "单位", "机构", "所在单位", "所属单位", "工作单位", "组织"), is_text=True, of_speaker=True),
    Column("speaker.title", N_("Position"), ("jobtitle", "job", "role", "职位", "职务", "头衔", "岗位"), is_text=True, of_speaker=True),
    Column("speaker.bio", N_("About the speaker"), ("bio", "biography", "speakerbio", "speakerbiography", "讲师简介", "个人简介", "嘉宾简介", "个人介绍", "演讲者简介"), is_text=True, of_speaker=True),
    Column("speaker.role", N_("Part in the proposal"), ("speakerrole", "角色"), of_speaker=True),
    Column("speaker.email", N_("E-mail"), ("mail", "emailaddress", "speakeremail", "邮箱", "电子邮箱", "邮件", "联系邮箱", "讲师邮箱"), is_personal=True, of_speaker=True),
    Column("speaker.phone", N_("Mobile phone"), ("phone", "mobile", "telephone", "手机", "手机号", "手机号码", "电话", "联系电话", "联系方式"), is_personal=True, of_speaker=True),
    Column("speaker.locale", N_("Language of letters"), ("speakerlanguage", "通信语言"), of_speaker=True),
    Column("speaker.wants_travel_support", N_("Travel support"), ("travelsupport", "差旅支持"), is_personal=True, of_speaker=True),
    Column("speaker.travel_note", N_("About the travel"), ("travelnote", "差旅说明"), is_personal=True, of_speaker=True),
    Column("speaker.allows_slides", N_("Slides may be published"), ("同意公开幻灯片",), of_speaker=True),
    Column("speaker.allows_photo", N_("Photographs may be published"), ("同意公开照片",), of_speaker=True),
    Column("speaker.allows_video", N_("The video may be published"), ("同意公开视频",), of_speaker=True),
)  # fmt: skip
BY_KEY: Final[Mapping[str, Column]] = {one.key: one for one in COLUMNS}
#: The languages that every list has a column for.
LANGUAGES: Final = ("zh-Hans", "en")
_TAGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("zh", "zhhans", "cn", "chinese", "中文", "汉语", "简体中文"), "zh-Hans"),
    **dict.fromkeys(("en", "english", "英文", "英语"), "en"),
    **dict.fromkeys(("zhhant", "traditionalchinese", "繁体中文", "繁體中文"), "zh-Hant"),
    **dict.fromkeys(("ja", "japanese", "日文", "日语"), "ja"),
    **dict.fromkeys(("ko", "korean", "韩文", "韩语"), "ko"),
}
LANGUAGE_TITLES: Final[Mapping[str, str]] = {"zh-Hans": N_("Chinese"), "en": N_("English")}
_LONGEST_TITLE: Final = 120


def _label(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def known_words(titles: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Folded words of headers to keys; ``titles`` are the columns' own titles, by key, in each language."""
    found: dict[str, str] = {}
    for column in COLUMNS:
        own = [_label(each[column.key]) for each in titles]
        for word in (*own, _label(column.key), *column.words):
            found.setdefault(word, column.key)
            if column.is_text:
                for name, tag in _TAGS.items():
                    for with_language in (name + word, word + name, word + "in" + name):
                        found.setdefault(with_language, f"{column.key}:{tag}")
    return found


def question_keys(fields: Iterable[FieldFacts]) -> dict[str, str]:
    """Folded codes and labels of questions to keys; a label that two have is nobody's. No files: they are no text."""
    names: dict[str, set[str]] = {}
    for one in fields:
        if one.asking.subject is Subject.REVIEW or one.question.kind is FieldKind.FILE:
            continue
        word = "answer" if one.asking.subject is Subject.PROPOSAL else "speaker.answer"
        key = f"{word}:{one.question.code}"
        for name in (one.question.code, *one.question.label.values()):
            names.setdefault(match_key(name), set()).add(key)
    return {name: next(iter(keys)) for name, keys in names.items() if len(keys) == 1}


def guess(titles: Sequence[str], words: Mapping[str, str], questions: Mapping[str, str]) -> dict[str, int]:
    """Which column (from 0) has which key, by the words above it; what isn't known isn't guessed."""
    found: dict[str, int] = {}
    for number, raw in enumerate(titles):
        title = restore(raw)
        if not title.strip() or len(title) > _LONGEST_TITLE:
            continue
        key = questions.get(match_key(title)) or _recognise(title, words)
        if key:
            found.setdefault(key, number)
    return found


def _recognise(title: str, words: Mapping[str, str]) -> str:
    folded = unicodedata.normalize("NFKC", title)
    bracket = re.search(r"\(([^)]*)\)\s*$|\[([^\]]*)\]\s*$|【([^】]*)】\s*$", folded)
    key = words.get(_label(folded), "")
    if bracket and not key:
        key = words.get(_label(folded[: bracket.start()]), "")
        inside = next(part for part in bracket.groups() if part is not None).strip()
        tag = _TAGS.get(_label(inside)) or (
            inside if re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}", inside) else ""
        )
        if key in BY_KEY and BY_KEY[key].is_text and tag:
            key = f"{key}:{tag}"
    return key


def language_of(text: str) -> str:
    """The language of a text whose column does not say."""
    return "zh-Hans" if re.search("[\u3400-\u9fff]", text) else "en"
