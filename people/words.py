"""The words for this package's codes; main joins them with every other package's."""

from __future__ import annotations

from kernel.text import N_

WORDS: dict[str, str] = {
    # refusals and problems
    "email_invalid": N_("This is not a complete e-mail address, like name@example.org."),
    "code_malformed": N_("The code has six digits."),
    "code_wrong": N_("This is not the code that we sent. Tries left: %(left)s."),
    "code_expired": N_("This code has expired, or it was asked for in another browser. Ask for a new one."),
    "code_used": N_("This code has been used already. Ask for a new one."),
    "code_spent": N_("There were too many wrong tries with this code. Ask for a new one."),
    "too_many_codes": N_(
        "We have sent several codes to this address within the hour. Use the newest one, or ask again in %(minutes)s min."
    ),
    "too_many_here": N_(
        "Very many codes were asked for from this network. Please wait %(minutes)s min and try again."
    ),
    "letter_not_in_this_state": N_("This letter has moved on meanwhile, so nothing was done. Look again."),
    # states of letters and jobs
    "waiting": N_("Waiting"),
    "sending": N_("Sending"),
    "sent": N_("Sent"),
    "failed": N_("Failed"),
    "held": N_("Held back"),
    "discarded": N_("Discarded"),
    "running": N_("Running"),
    "done": N_("Done"),
    "cancelled": N_("Cancelled"),
    # what a person may do with a letter
    "retry": N_("Send again"),
    "hold": N_("Hold back"),
    "discard": N_("Discard"),
    # why a letter was not sent
    "malformed_address": N_("The address can't be written on a letter."),
    "unreachable": N_("The mail server could not be reached, or refused our user name and password."),
    "not_composed": N_("Its pictures or links could not be made."),
    "too_late": N_("Its sign-in code had expired before it could be sent."),
    "no_longer_wanted": N_("What it was about is no longer so."),
}
