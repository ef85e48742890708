"""The words for the codes of the registration form, its settings and identity documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from events.form_rules import FormCode
from events.identity_rules import IdentityCode
from kernel.text import N_

FORM_WORDS: Final[Mapping[str, str]] = {
    FormCode.DATE_WRONG: N_("This is not a date. Write it like 2023-10-28."),
    FormCode.NUMBER_WRONG: N_("Please enter a number."),
    FormCode.ADDRESS_WRONG: N_("This is no web address. It begins with https:// and has no password in it."),
    FormCode.CONSENT_NEEDED: N_("Without this we can't register you. Please read it and tick the box."),
    FormCode.FILE_KIND: N_(
        "This kind of file is not taken. Send a PDF, a PNG or JPEG picture, a Word or Excel file without macros, or a ZIP."
    ),
    FormCode.FILE_SIZE: N_("This file is too large: at most %(limit)s MB."),
    FormCode.FILE_EMPTY: N_("This file is empty."),
    FormCode.FILE_GONE: N_("This file is no longer here. Please choose it again."),
    FormCode.QUESTION_UNKNOWN: N_("This event has no such question."),
    FormCode.QUESTION_KIND_FIXED: N_(
        "People have answered this question, so its kind stays. Switch it off and add another one."
    ),
    FormCode.QUESTION_ANSWERED: N_(
        "People have answered this question, so it can't be deleted. Switch it off instead."
    ),
    FormCode.QUESTION_CODE_TAKEN: N_("Another question of this event has this code."),
    FormCode.QUESTIONS_TOO_MANY: N_("A form has at most %(limit)s questions. Switch one off first."),
    FormCode.FILE_QUESTIONS_TOO_MANY: N_("A form asks for at most %(limit)s files."),
    FormCode.OPTIONS_MISSING: N_("Give at least two answers to choose from, one a line."),
    FormCode.OPTIONS_TOO_MANY: N_("At most %(limit)s answers to choose from."),
    FormCode.OPTION_TWICE: N_("Two answers have the same code."),
    FormCode.OPTION_IN_USE: N_("Somebody has chosen the answer “%(code)s”, so it has to stay."),
    FormCode.CODE_MALFORMED: N_(
        "A code holds letters, digits, hyphens, dots and underscores, at most 40 characters."
    ),
    FormCode.CONSENT_UNKNOWN: N_("This event has no such consent."),
    FormCode.CONSENT_CODE_TAKEN: N_("Another consent of this event has this code."),
    FormCode.CONSENTS_TOO_MANY: N_("A form has at most %(limit)s consents."),
    IdentityCode.NUMBER_MALFORMED: N_("This is not how the number of such a document looks."),
    IdentityCode.NUMBER_CHECK: N_("This number can't be right: a digit is wrong or two have changed places."),
    IdentityCode.CONSENT_NEEDED: N_(
        "Please agree that the document is stored, or ask the organisers for another way."
    ),
    IdentityCode.UNKNOWN: N_("This registration has no identity document."),
    IdentityCode.UNREADABLE: N_("This document was encrypted under another key and can't be read."),
    # kinds of questions
    "line": N_("One line"),
    "text": N_("Several lines"),
    "number": N_("Number"),
    "date": N_("Date"),
    "yes_no": N_("Yes or no"),
    "url": N_("Web address"),
    "choose_one": N_("Choose one"),
    "choose_many": N_("Choose several"),
    "file": N_("File"),
    # what a ticket shop's list says
    "paid": N_("Paid"),
    "unpaid": N_("Unpaid"),
    "refunded": N_("Refunded"),
}
