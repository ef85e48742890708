"""The words for this package's codes; main joins them with every other package's."""

from __future__ import annotations

from kernel.text import N_

WORDS: dict[str, str] = {
    # pictures that people upload
    "picture_unreadable": N_("This file can't be read as a picture. Please choose a PNG, JPEG or WebP file."),
    "picture_svg": N_(
        "An SVG file may hold programs, so we don't take it. Please save the picture as PNG and choose that."
    ),
    "picture_too_large": N_("This file is too large: at most %(limit_mb)s MB."),
    "picture_too_many_pixels": N_("This picture has too many pixels: at most %(limit)s million."),
    "picture_too_small": N_("This picture is too small: at least %(limit)s pixels wide and high."),
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
    "too_many_wrong": N_(
        "Too many wrong codes were typed. Use the link in the letter, or wait %(minutes)s min and try again."
    ),
    "too_many_failed": N_(
        "Too many links and tokens that open nothing came from this network. Please wait %(minutes)s min."
    ),
    "link_over": N_("This link has been used, or it is more than ten minutes old. Ask for a new one."),
    "visit_over": N_(
        "This sign-in was begun in another browser, took more than ten minutes, or was finished already. Please begin again."
    ),
    "provider_denied": N_("%(provider)s was not allowed to tell us who you are, so nobody was signed in."),
    "provider_down": N_("%(provider)s does not answer at the moment. Sign in with a code by e-mail."),
    "provider_wrong": N_(
        "What %(provider)s answered can't be relied on, so nobody was signed in. Sign in with a code by e-mail."
    ),
    "identity_taken": N_(
        "That sign-in at %(provider)s opens another account here. Sign in to that one and part it there first."
    ),
    "scopes_missing": N_("Choose at least one thing that the token may do."),
    "too_many_tokens": N_("An account has %(limit)s tokens at most. Revoke one that you no longer need."),
    "token_made_already": N_(
        "This token was made already, and it is shown only once. If you have not kept it, revoke it and make another."
    ),
    "letter_not_in_this_state": N_("This letter has moved on meanwhile, so nothing was done. Look again."),
    "not_ticked": N_("Tick this box, if that is what you want."),
    # states of letters and jobs
    "drafted": N_("Draft"),
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
    "send": N_("Send"),
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
