"""What the scanner says without a network, beside ``scanner_words``; the verdicts' own words travel with it."""

from __future__ import annotations

from checkin.offline_rules import UNKNOWN_YET
from checkin.rules import VerdictCode
from checkin.words import VERDICT_HELP, VERDICTS
from kernel.text import N_

OFFLINE_WORDS: dict[str, str] = {
    "offline": N_("Offline"),
    "offline_on": N_("No network: this phone decides itself, and sends everything when the network is back."),
    "offline_none": N_("No network, and no list on this phone yet. Scans are kept and sent when it is back."),
    "offline_mark": N_("Offline · decided here"),
    "offline_unsure": N_("This phone can't be sure. The server decides when the network is back."),
    "conflicts": N_("Conflicts"),
    "conflicts_of": N_("Conflicts to look at: %(count)s"),
    "conflicts_lead": N_(
        "These people were let in or sent away here without network, and the server sees it otherwise."
    ),
    "conflicts_none": N_("Nothing to look at."),
    "conflict_dealt": N_("Dealt with"),
    "conflict_in": N_("Let in here"),
    "conflict_away": N_("Sent away here"),
    "conflict_nobody": N_("Unknown person"),
    "search_offline": N_("This phone holds no names, so nobody can be found without a network."),
    "dealt_failed": N_("That did not get through. Please try again."),
    "problem_storage": N_(
        "This browser keeps nothing, so scans that wait are lost when the page closes. Leave private browsing."
    ),
    "problem_storage_full": N_(
        "This phone's storage is full. Scans that wait stand in memory alone: don't close this page."
    ),
    "problem_snapshot": N_("The list of passports could not be fetched. It will be tried again."),
    "full": N_("Too many waiting"),
    "full_help": N_(
        "Too many scans wait to be sent, so this one was not taken. Look for a connection first."
    ),
    "new_version": N_("New version: tap to take it"),
    "over_expired": N_("This phone's time is over"),
    "over_expired_help": N_(
        "Names and passports were removed from it. What it scanned before is sent as soon as there is a network."
    ),
    "over_revoked": N_("This phone was switched off"),
    "over_revoked_help": N_(
        "Whoever leads the door did that. What it still held is handed over for them to look at."
    ),
    "wiped": N_("Nothing of this event is left on this phone"),
    "wiped_help": N_("%(count)s scans were handed over to whoever leads the door."),
    "unpaired": N_("This phone is not paired"),
    "unpaired_help": N_(
        "Perhaps the browser cleared its storage. Ask whoever leads the door for a code and pair it again."
    ),
    "pair_again": N_("Pair this phone"),
    f"verdict_{UNKNOWN_YET}": N_("Not on the list yet"),
    f"verdict_help_{UNKNOWN_YET}": N_(
        "Perhaps registered a moment ago. Let them in; the server looks at it when the network is back."
    ),
    **{f"verdict_{code}": words for code, words in VERDICTS.items()},
    **{f"verdict_help_{code}": words for code, words in VERDICT_HELP.items()},
    # A phone knows of one that somebody said so, never that it still is.
    f"verdict_{VerdictCode.FULL}": N_("Said to be full"),
    f"verdict_help_{VerdictCode.FULL}": N_(
        "Somebody said so before the network went. Let them in if you see a free place."
    ),
}
