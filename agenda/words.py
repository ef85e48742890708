"""The words for this package's codes and for its verbs in the journal; main joins them with every other package's."""

from __future__ import annotations

from collections.abc import Mapping

from agenda.checklist_rules import Item
from agenda.dashboard_rules import DashboardCode
from agenda.letter_rules import LetterCode, Missing, Occasion, Placeholder
from agenda.line_up_rules import LineUpCode
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
    LetterCode.PLACEHOLDER_UNKNOWN: N_(
        "{%(name)s} says nothing in this letter. The list beside it has what you can write."
    ),
    LetterCode.PLACEHOLDER_NEEDED: N_(
        "Please leave {%(name)s} in: without it the reader could do nothing about it."
    ),
    LetterCode.NOBODY: N_("Nobody fits, or nobody who fits has an address."),
    LetterCode.NOTHING_PENDING: N_("There is no prepared decision that could be released."),
    LetterCode.CHANGED_MEANWHILE: N_(
        "Decisions were prepared or changed after you opened the page. Look at them, then release them."
    ),
    DashboardCode.NOT_DECIDED_BY_YOU: N_("This is not yours to decide."),
    DashboardCode.NOT_TAGGED_BY_YOU: N_("You may put no tags on it now."),
    DashboardCode.NOT_PROPOSED_BY_YOU: N_("Only a producer of its forum proposes a decision about it."),
    DashboardCode.NOTHING_PROPOSED: N_("No producer has proposed anything."),
    DashboardCode.PROPOSALS_DIFFER: N_("Its producers propose different things."),
    DashboardCode.NOTHING_CHOSEN: N_("Please tick the proposals first."),
    DashboardCode.TAG_UNKNOWN: N_("Please choose one of the tags."),
    LineUpCode.TOO_MANY_CELLS: N_(
        "This line has more than %(limit)s parts: title, speaker, organisation, position, e-mail."
    ),
    LineUpCode.TOO_MANY_LINES: N_("At most %(limit)s talks at once."),
    LineUpCode.NO_LINES: N_("Please paste the line-up, one talk a line."),
    LineUpCode.TWICE: N_("An earlier line says the same."),
    LineUpCode.THERE: N_("This forum has a talk with this title."),
    LineUpCode.EMAIL_INVALID: N_("This is no e-mail address."),
    LineUpCode.COUNT_DIFFERS: N_("There are more or fewer of these than speakers."),
    LineUpCode.LINES_WRONG: N_(
        "Some lines can't be entered as they are. Correct them here; nothing was entered."
    ),
    LineUpCode.SLIDES_KIND: N_(
        "This is no PDF, PowerPoint, Keynote, OpenDocument or ZIP file, or it is damaged or has macros."
    ),
    LineUpCode.SPEAKER_UNKNOWN: N_("There is no such speaker here."),
    LineUpCode.EMAIL_TAKEN: N_("Another speaker of this event has this address."),
    LineUpCode.NOBODY_TO_REMIND: N_("Nobody with an e-mail address misses anything."),
    ReviewCode.NOT_NOW: N_("Nothing is reviewed now."),
    ReviewCode.NOT_ASSIGNED: N_("You were not asked to review this proposal."),
    ReviewCode.OWN_PROPOSAL: N_("This is your own proposal."),
    ReviewCode.TOO_NEAR: N_("You are too near to this proposal to judge it."),
    ReviewCode.REASON_NEEDED: N_("Please say why in a few words."),
    ReviewCode.CRITERION_UNKNOWN: N_("There is no such criterion."),
    ReviewCode.CRITERION_SCORED: N_("Reviewers have given points for it. Switch it off instead."),
    ReviewCode.PHASE_UNKNOWN: N_("There is no such phase of the review."),
    ReviewCode.PHASE_IN_USE: N_(
        "Reviews were written in this phase, so it stays. Switch off what it allows instead."
    ),
    ReviewCode.PHASE_REVERSED: N_("A phase can't end before it begins."),
    ReviewCode.PHASES_TOO_MANY: N_("A review has at most %(limit)s phases."),
    ReviewCode.CRITERIA_TOO_MANY: N_("A review has at most %(limit)s criteria."),
    ReviewCode.LABEL_OUTSIDE: N_("The words for %(value)s are outside the range of points."),
    ReviewCode.REVIEWER_UNKNOWN: N_("This person has no role here that reviews."),
    ReviewCode.SPEAKER_UNKNOWN: N_("No speaker of this event has this name or address."),
    ReviewCode.SPEAKERS_SEVERAL: N_("Several speakers have this name. Give the e-mail address."),
    ReviewCode.PLAN_CHANGED: N_(
        "Something has changed since you looked: proposals, reviewers or conflicts of interest. Here is the plan as it is now."
    ),
    ReviewCode.RANGE_REVERSED: N_("The highest number of points must be above the lowest."),
    ReviewCode.STALE: N_(
        "You have changed this review in another window meanwhile. Look at it there, then save this one again."
    ),
    ReviewCode.UNKNOWN: N_("You have not reviewed this proposal."),
    ReviewCode.COMMENT_UNKNOWN: N_("There is no such comment of yours."),
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
OCCASION_WORDS: Mapping[str, str] = {
    Occasion.RECEIVED: N_("Handed in"),
    Occasion.JOIN: N_("Asked to speak along"),
    Occasion.ACCEPTED: N_("Accepted"),
    Occasion.WAITLISTED: N_("In reserve"),
    Occasion.REJECTED: N_("Not accepted"),
    Occasion.INVITED: N_("Invitation to speak"),
    Occasion.FOLLOW_UP: N_("Invitation, asked again"),
    Occasion.CONFIRMED: N_("Confirmed"),
    Occasion.WITHDRAWN: N_("Withdrawn"),
    Occasion.CANCELLED: N_("Cancelled"),
    Occasion.NUDGE: N_("Something is missing"),
    Occasion.DRAFT_REMINDER: N_("Draft not handed in"),
    Occasion.MESSAGE: N_("Message by hand"),
}
PLACEHOLDER_WORDS: Mapping[str, str] = {
    Placeholder.NAME: N_("the reader's name"),
    Placeholder.EVENT: N_("the event's name"),
    Placeholder.TITLE: N_("the proposal's title"),
    Placeholder.LINK: N_("the reader's own page; the link is made when the letter leaves"),
    Placeholder.TYPE: N_("the kind of session"),
    Placeholder.FORUM: N_("the forum"),
    Placeholder.STATE: N_("the proposal's state"),
    Placeholder.DEADLINE: N_("until when, as the call says"),
    Placeholder.MISSING: N_("what is missing, a line each"),
    Placeholder.HOST: N_("who looks after the reader"),
    Placeholder.WHEN: N_("the event's days"),
    Placeholder.PLACE: N_("city and address"),
    Placeholder.WHO: N_("who asks"),
    Placeholder.EMAIL: N_("the reader's address"),
    Placeholder.REASON: N_("why, as it stands in the history"),
}
MISSING_WORDS: Mapping[str, str] = {
    Missing.PICTURE: N_("a picture"),
    Missing.BIO: N_("a biography"),
    Missing.CONSENTS: N_("an answer about publishing"),
    Missing.SLIDES: N_("slides"),
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
#: The lines of a speaker's checklist.
CHECK_WORDS: Mapping[Item, str] = {
    Item.CONFIRM: N_("Say whether you come"),
    Item.PHOTO: N_("Your picture"),
    Item.BIO: N_("Some sentences about you"),
    Item.CONSENT: N_("What may be published"),
    Item.QUESTIONS: N_("The organisers' questions"),
    Item.SLIDES: N_("Your slides"),
    Item.TRAVEL: N_("Your travel"),
    Item.HOST: N_("Somebody who looks after you"),
}
#: The same as the head of a column.
CHECK_TITLES: Mapping[Item, str] = {
    Item.CONFIRM: N_("Confirmed"),
    Item.PHOTO: N_("Picture"),
    Item.BIO: N_("About the speaker"),
    Item.CONSENT: N_("Consents"),
    Item.QUESTIONS: N_("Questions"),
    Item.SLIDES: N_("Slides"),
    Item.TRAVEL: N_("Travel"),
    Item.HOST: N_("Host"),
}
#: In the order of ``proposal_rules.CONSENTS``.
CONSENT_QUESTIONS = (
    N_("Your slides"),
    N_("Photographs of you on stage"),
    N_("The recording and live stream of your talk"),
)
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
    "decision.release": N_("Released the decisions"),
    "letter_template.change": N_("Changed the words of a letter to speakers"),
    "proposal.create": N_("Began a proposal"),
    "proposal.edit": N_("Changed a proposal"),
    "proposal.move": N_("Moved a proposal to another state"),
    "proposal.pend": N_("Prepared a decision"),
    "proposal.propose": N_("Proposed a decision"),
    "proposal.tag": N_("Changed the tags of a proposal"),
    "proposal.twin": N_("Looked at near-duplicates"),
    "proposal.join": N_("Joined a proposal as a speaker"),
    "proposal.discard": N_("Threw a draft away"),
    "proposal.import": N_("Imported proposals"),
    "review.write": N_("Reviewed a proposal"),
    "review.change": N_("Changed a review"),
    "review.withdraw": N_("Took a review back"),
    "conflict_of_interest.declare": N_("Declared somebody too near to a proposal"),
    "conflict_of_interest.withdraw": N_("Took a conflict of interest back"),
    "review.defaults": N_("Set up the review"),
    "review.totals": N_("Changed how reviews are counted"),
    "review_phase.add": N_("Added a phase of the review"),
    "review_phase.change": N_("Changed a phase of the review"),
    "review_phase.remove": N_("Deleted a phase of the review"),
    "review_phase.activate": N_("Made a phase of the review active"),
    "review_criterion.add": N_("Added a criterion of the review"),
    "review_criterion.change": N_("Changed a criterion of the review"),
    "reviewer.change": N_("Changed a reviewer"),
    "review.assign": N_("Gave somebody proposals to review"),
    "review.unassign": N_("Took proposals to review from somebody"),
    "proposal.redact": N_("Wrote a copy of a proposal without names"),
    "proposal.unredact": N_("Dropped the copy of a proposal without names"),
    "review_criterion.remove": N_("Deleted a criterion of the review"),
    "speaker.claim": N_("Joined a speaker to their account"),
    "speaker.change": N_("Changed a speaker"),
    "speaker.renew_link": N_("Renewed a speaker's link"),
    "speaker.ticket_issued": N_("Issued a speaker's ticket"),
    "speaker.ticket_upgraded": N_("Made a registration a speaker's"),
    "speaker.ticket_kept": N_("A speaker without a talk keeps the ticket"),
    "speaker.no_ticket": N_("A speaker could not be given a ticket"),
}
