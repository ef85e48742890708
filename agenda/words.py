"""The words for this package's codes and for its verbs in the journal; main joins them with every other package's."""

from __future__ import annotations

from collections.abc import Mapping

from agenda.proposal_rules import Level, ProposalCode, ProposalState, Purpose, SpeakerRole
from agenda.review_rules import Nearness, ReviewCode
from agenda.rules import AgendaCode, SessionKind
from kernel.text import N_

WORDS: dict[str, str] = {
    AgendaCode.SESSION_OF_ANOTHER_EVENT: N_("A session of another event has this guid."),
    AgendaCode.SESSION_GUID_MALFORMED: N_(
        "A guid has 32 digits and letters from a to f. Leave it empty for a new session."
    ),
    AgendaCode.SESSION_TIME_MALFORMED: N_("This is not a date and time. Write it like 2023-10-28 09:30."),
    AgendaCode.SESSION_TIME_TWICE: N_(
        "The clocks are set back here, so this time comes twice. Choose another one."
    ),
    AgendaCode.SESSION_TIME_SKIPPED: N_(
        "The clocks are set forward here, so this time never comes. Choose another one."
    ),
    AgendaCode.SESSION_ENDS_FIRST: N_("A session can't end before it starts."),
    AgendaCode.SESSION_TOO_LONG: N_("A session lasts at most %(hours)s hours. Is the date right?"),
    AgendaCode.SESSION_TITLE_MISSING: N_("Please give a title, in Chinese or in English."),
    AgendaCode.SESSION_KIND_UNKNOWN: N_(
        "The kind “%(value)s” is not known. Known are talk, panel, workshop, lightning, ceremony and break."
    ),
    AgendaCode.SESSION_PLACE_UNKNOWN: N_(
        "This event has no place “%(value)s”, or more than one. Use the place's code."
    ),
    AgendaCode.SESSION_ROW_TWICE: N_("Line %(line)s says the same."),
    AgendaCode.PROGRAMME_COLUMN_MISSING: N_(
        "This column is missing: a programme needs a title, a start and an end."
    ),
    AgendaCode.PROGRAMME_EMPTY: N_("There is no session below the column titles."),
    SessionKind.TALK: N_("Talk"),
    SessionKind.PANEL: N_("Panel"),
    SessionKind.WORKSHOP: N_("Workshop"),
    SessionKind.LIGHTNING: N_("Lightning talks"),
    SessionKind.CEREMONY: N_("Ceremony"),
    SessionKind.BREAK: N_("Break"),
    ProposalCode.UNKNOWN: N_("There is no such proposal here."),
    ProposalCode.MOVE_NOT_FROM_HERE: N_("This can't be done with a proposal that is “%(state)s”."),
    ProposalCode.MOVE_NOT_YOURS: N_("This is not yours to decide."),
    ProposalCode.NOT_YOURS: N_("This proposal belongs to somebody else."),
    ProposalCode.NOT_EDITABLE: N_("This proposal can't be changed any more. Write to the organisers."),
    ProposalCode.CALL_NOT_OPEN_YET: N_("The call for proposals has not opened yet."),
    ProposalCode.CALL_CLOSED: N_("The call for proposals has closed."),
    ProposalCode.TYPE_CLOSED: N_("The call has closed for this kind of session."),
    ProposalCode.TYPE_NEEDS_CODE: N_("This kind of session needs an access code."),
    ProposalCode.FORUM_NEEDS_CODE: N_("This forum needs an access code."),
    ProposalCode.CODE_WRONG: N_("This access code is not known here."),
    ProposalCode.CODE_EXPIRED: N_("This access code has expired."),
    ProposalCode.CODE_USED_UP: N_("This access code has been used up."),
    ProposalCode.CODE_TAKEN: N_("There is an access code like this already."),
    ProposalCode.USES_BELOW_USED: N_("It has been used %(used)s times already."),
    ProposalCode.CONFIRM_TOO_LATE: N_("The day to confirm has passed. Write to the organisers."),
    ProposalCode.DECISION_NOT_NOW: N_("Reviewers don't decide in this phase of the review."),
    ProposalCode.INCOMPLETE: N_("Something is still missing. See the marked fields."),
    ProposalCode.STALE: N_(
        "Somebody has changed this proposal meanwhile. Look at theirs in another window, then save yours again."
    ),
    ProposalCode.TOO_MANY_PROPOSALS: N_("You can hand in at most %(limit)s proposals."),
    ProposalCode.TOO_MANY_SPEAKERS: N_("A proposal has at most %(limit)s speakers, invited ones included."),
    ProposalCode.TITLE_LANGUAGE: N_("Please write title and abstract in the same language, or both in both."),
    ProposalCode.TYPE_UNKNOWN: N_("This kind of session is not offered."),
    ProposalCode.TYPE_IN_USE: N_("There are proposals of this kind. Switch it off instead."),
    ProposalCode.FORUM_UNKNOWN: N_("This forum is not offered."),
    ProposalCode.FORUM_IN_USE: N_("There are proposals or roles for this forum. Switch it off instead."),
    ProposalCode.CODE_OF_THING_TAKEN: N_("Another one of this event has this code."),
    ProposalCode.FIELD_ANSWERED: N_("People have answered this question. Switch it off instead."),
    ProposalCode.FIELD_FIXED: N_("People have answered this question, so its kind stays."),
    ProposalCode.WINDOW_REVERSED: N_("It can't close before it opens."),
    ProposalCode.RESOURCES_TOO_MANY: N_("A proposal has at most %(limit)s files and links."),
    ProposalCode.JOIN_UNKNOWN: N_("This invitation is not known here. The link may be incomplete."),
    ProposalCode.JOIN_USED: N_("This invitation has been answered already."),
    ProposalCode.JOIN_RETRACTED: N_("This invitation was taken back."),
    ProposalCode.JOIN_EXPIRED: N_("This invitation has expired. Ask for a new one."),
    ProposalCode.JOIN_FOR_OTHER: N_("This invitation is for %(email)s. Sign in with that address."),
    ProposalCode.JOIN_OPEN: N_("This address is invited already."),
    ProposalCode.JOIN_SELF: N_("This is your own address: you are a speaker already."),
    ProposalCode.SPEAKER_THERE: N_("This person speaks in the proposal already."),
    ProposalCode.SPEAKER_LAST: N_("A proposal keeps one speaker. Withdraw it instead."),
    ReviewCode.NOT_NOW: N_("Nothing is reviewed now."),
    ReviewCode.NOT_ASSIGNED: N_("You were not asked to review this proposal."),
    ReviewCode.OWN_PROPOSAL: N_("This is your own proposal."),
    ReviewCode.TOO_NEAR: N_("You are too near to this proposal to judge it."),
    ReviewCode.REASON_NEEDED: N_("Please say why in a few words."),
    ReviewCode.CRITERION_UNKNOWN: N_("There is no such criterion."),
    ReviewCode.CRITERION_SCORED: N_("Reviewers have given points for it. Switch it off instead."),
    ReviewCode.PHASE_UNKNOWN: N_("There is no such phase of the review."),
    ReviewCode.RANGE_REVERSED: N_("The highest number of points must be above the lowest."),
}

#: Words that stand for a code in this package alone: the same codes mean something else in a registration.
STATE_WORDS: Mapping[str, str] = {
    ProposalState.DRAFT: N_("Draft"),
    ProposalState.INVITED: N_("Invited"),
    ProposalState.DECLINED: N_("Invitation declined"),
    ProposalState.SUBMITTED: N_("Handed in"),
    ProposalState.ACCEPTED: N_("Accepted"),
    ProposalState.WAITLISTED: N_("In reserve"),
    ProposalState.CONFIRMED: N_("Confirmed"),
    ProposalState.REJECTED: N_("Not accepted"),
    ProposalState.WITHDRAWN: N_("Withdrawn"),
    ProposalState.CANCELLED: N_("Cancelled"),
}
LEVEL_WORDS: Mapping[str, str] = {
    Level.BEGINNER: N_("Beginners"),
    Level.INTERMEDIATE: N_("Intermediate"),
    Level.ADVANCED: N_("Advanced"),
}
ROLE_WORDS: Mapping[str, str] = {
    SpeakerRole.SPEAKER: N_("Speaker"),
    SpeakerRole.MODERATOR: N_("Moderator"),
    SpeakerRole.GUEST: N_("Guest"),
}
PURPOSE_WORDS: Mapping[str, str] = {
    Purpose.RESOURCE: N_("Material"),
    Purpose.SLIDES: N_("Slides"),
    Purpose.SLIDES_BACKUP: N_("Backup of the slides"),
}
NEARNESS_WORDS: Mapping[str, str] = {
    Nearness.OWN: N_("own proposal"),
    Nearness.CO_SPEAKER: N_("speaks with one of the speakers"),
    Nearness.ORGANISATION: N_("same organisation"),
    Nearness.DECLARED: N_("declared"),
}

VERBS: dict[str, str] = {
    "session.add": N_("Added a session"),
    "session.import": N_("Imported the programme"),
    "call.change": N_("Changed the call for proposals"),
    "session_type.add": N_("Added a session type"),
    "session_type.change": N_("Changed a session type"),
    "session_type.remove": N_("Deleted a session type"),
    "forum.add": N_("Added a forum"),
    "forum.change": N_("Changed a forum"),
    "forum.remove": N_("Deleted a forum"),
    "producer.add": N_("Added a producer"),
    "producer.change": N_("Changed a producer"),
    "producer.remove": N_("Deleted a producer"),
    "community.add": N_("Added a community"),
    "community.change": N_("Changed a community"),
    "community.remove": N_("Deleted a community"),
    "tag.add": N_("Added a tag"),
    "tag.change": N_("Changed a tag"),
    "tag.remove": N_("Deleted a tag"),
    "call_field.add": N_("Added a question to the call"),
    "call_field.change": N_("Changed a question of the call"),
    "call_field.remove": N_("Deleted a question of the call"),
    "call_code.add": N_("Added an access code to the call"),
    "call_code.change": N_("Changed an access code of the call"),
    "proposal.create": N_("Began a proposal"),
    "proposal.edit": N_("Changed a proposal"),
    "proposal.move": N_("Moved a proposal to another state"),
    "proposal.pend": N_("Prepared a decision"),
    "proposal.join": N_("Joined a proposal as a speaker"),
    "proposal.discard": N_("Threw a draft away"),
}
