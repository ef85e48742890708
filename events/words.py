"""The words for this package's codes; main joins them with every other package's."""

from __future__ import annotations

from events.importing import IMPORT_WORDS
from kernel.text import N_

WORDS: dict[str, str] = {
    **IMPORT_WORDS,
    # refusals
    "event_unknown": N_("There is no event at this address."),
    "event_state": N_("The event can't be moved to that state from where it stands."),
    "registration_closed": N_("Registration has closed."),
    "registration_not_open_yet": N_("Registration has not opened yet."),
    "registration_unknown": N_("There is no such registration in this event."),
    "ticket_type_full": N_("This ticket type is full. Please choose another one."),
    "ticket_type_unknown": N_("This event has no such ticket type."),
    "external_id_taken": N_("Another registration of this event has this number."),
    "already_cancelled": N_("This registration has been cancelled already."),
    "not_cancelled": N_("This registration is not cancelled."),
    "quota_below_taken": N_(
        "More people hold this ticket type than that. Cancel some first, or raise the number."
    ),
    "ticket_code_taken": N_("Another ticket type of this event has this code."),
    "row_twice": N_("Another line has the same number or ticket code."),
    "form_already_sent": N_(
        "This form was sent before, and that registration is done. Send it again only to register somebody else."
    ),
    "too_many_for_email": N_(
        "Many people were registered with this e-mail address within the hour. Try again later, or use another one."
    ),
    "place_loop": N_("A place can't lie inside itself."),
    "place_unknown": N_("This event has no such place."),
    "place_code_taken": N_("Another place of this event has this code."),
    "slug_taken": N_("Another event has this alias."),
    "slug_malformed": N_("Use lower-case letters, digits and hyphens between them, at most 48."),
    "dates_reversed": N_("The last day can't be before the first."),
    "window_reversed": N_("Registration can't close before it opens."),
    "zone_unknown": N_("This time zone is unknown. Asia/Shanghai is one."),
    "colour_malformed": N_("A colour has the form #0b6e4f."),
    "last_owner": N_("An event needs an owner. Make somebody else one first."),
    "role_held": N_("This account has that role already."),
    "role_unscoped": N_("This role is for the whole event."),
    # states of an event
    "draft": N_("Draft"),
    "published": N_("Published"),
    "ended": N_("Ended"),
    # states and sources of a registration
    "confirmed": N_("Confirmed"),
    "pending": N_("Pending"),
    "waitlisted": N_("On the waiting list"),
    "cancelled": N_("Cancelled"),
    "form": N_("Form"),
    "import": N_("Import"),
    "organiser": N_("Organiser"),
    "demo": N_("Sample data"),
    # roles
    "owner": N_("Owner"),
    "scanner": N_("Scanner"),
    # kinds of places
    "venue": N_("Venue"),
    "building": N_("Building"),
    "floor": N_("Floor"),
    "room": N_("Room"),
    "booth": N_("Booth"),
    "desk": N_("Desk"),
    "stage": N_("Stage"),
    "toilet": N_("Toilet"),
    "exit": N_("Exit"),
    "area": N_("Area"),
}
