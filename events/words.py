"""The words for this package's codes; main joins them with every other package's."""

from __future__ import annotations

from events.form_words import FORM_WORDS
from events.importing import IMPORT_WORDS
from events.partner_rules import WORDS as PARTNER_WORDS
from kernel.text import N_

WORDS: dict[str, str] = {
    **IMPORT_WORDS,
    **FORM_WORDS,
    **PARTNER_WORDS,
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
    "hours_reversed": N_("It can't end before it begins. Leave both times empty for whole days."),
    "site_code_taken": N_("Another site of this event has this code."),
    "site_unknown": N_("This event has no such site."),
    "site_in_use": N_(
        "Places, ticket types, checkpoints or roles still belong to this site. Move them first."
    ),
    "series_slug_taken": N_("Another series has this alias."),
    "series_unknown": N_("There is no such series."),
    "page_slug_taken": N_("Another page of this event has this address."),
    "page_unknown": N_("This event has no such page."),
    "access_code_needed": N_("This ticket type is for people with an access code. Please enter yours."),
    "access_code_wrong": N_("This access code does not open this ticket type. Please check it."),
    "access_code_used_up": N_("This access code has been used as often as it may."),
    "access_code_expired": N_("This access code is no longer valid."),
    "access_code_taken": N_("Another access code of this event is the same."),
    "uses_below_used": N_("It has been used more often than that."),
    "waitlist_only": N_("All places are taken. You can join the waiting list."),
    "offer_gone": N_("This place is no longer being kept for you."),
    "not_pending": N_("This registration is not waiting for a decision."),
    "not_waiting": N_("This registration is not on the waiting list."),
    "group_full": N_("All places of this link are taken."),
    "group_closed": N_("This link takes no more registrations."),
    "shared_quota_unknown": N_("This event has no such shared quota."),
    "shared_quota_in_use": N_("Ticket types count in this shared quota. Take them out of it first."),
    "access_code_guessed": N_(
        "Too many wrong access codes came from your network. Please try again in %(minutes)s minutes."
    ),
    "order_stale": N_("The list has changed meanwhile. Please look at it again."),
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
    "role_unscoped": N_("This role can't be narrowed to that."),
    "not_a_member": N_("Choose somebody else who has a role in this event."),
    "invitation_unknown": N_("There is no such invitation. Please open the link of your letter again."),
    "invitation_used": N_("This invitation has been accepted already."),
    "invitation_expired": N_("This invitation has expired. Ask whoever invited you to send it again."),
    "invitation_revoked": N_("This invitation was withdrawn."),
    "invitation_for_other": N_("This invitation was sent to another address."),
    "invitation_open": N_("This invitation is waiting already. You can send it again below."),
    "invitation_days": N_("Please enter %(least)s to %(most)s days."),
    # states of an invitation
    "invitation_waiting": N_("Not accepted yet"),
    "invitation_accepted": N_("Accepted"),
    "invitation_withdrawn": N_("Withdrawn"),
    "invitation_over": N_("Expired"),
    # what holders may do by themselves, transfers and merging
    "self_service_over": N_("The time for changing this yourself is over. Please ask the organisers."),
    "self_service_not_in_state": N_("This can't be done with this registration as it stands now."),
    "self_service_admitted": N_(
        "Somebody has been admitted with this registration already, so it stays theirs."
    ),
    "offer_over": N_("The time to accept this place is over; it goes to the next on the waiting list."),
    "transfer_open": N_("It is on its way to somebody already. Withdraw that first."),
    "transfer_unknown": N_("There is no such handing on here."),
    "transfer_ended": N_("This has been settled already, or its time is over."),
    "transfer_not_confirmed": N_(
        "The person who has the place has not confirmed yet. Please come back a little later."
    ),
    "transfer_to_oneself": N_("This is your own address. Please enter the other person's."),
    "too_many_addresses": N_(
        "Too many different addresses for one day. Please try again tomorrow, or ask the organisers."
    ),
    "merge_itself": N_("These are not two registrations but one."),
    "merge_merged_already": N_("One of the two is part of another registration already."),
    "merge_both_admitted": N_(
        "Somebody was admitted with each of the two, so two people came, or one went in twice. They can't become one."
    ),
    "merge_other_admitted": N_("The one that would go has been admitted. Turn it round: keep that one."),
    "merge_erased": N_("One of the two has been erased: there is nobody to merge."),
    "placeholder_unknown": N_(
        "Nothing is known by the name {%(name)s}. The list below has all that can stand in braces."
    ),
    "reminder_sent": N_(
        "This reminder has gone to the outbox. Change the letters there that have not left yet."
    ),
    # states of an event
    "draft": N_("Draft"),
    "published": N_("Published"),
    "ended": N_("Ended"),
    # states and sources of a registration
    "confirmed": N_("Confirmed"),
    "pending": N_("Pending"),
    "waitlisted": N_("On the waiting list"),
    "offered": N_("Place offered"),
    "declined": N_("Declined"),
    "cancelled": N_("Cancelled"),
    "form": N_("Form"),
    "import": N_("Import"),
    "organiser": N_("Organiser"),
    "demo": N_("Sample data"),
    "group": N_("Group"),
    "partner": N_("Partner's link"),
    "walk_in": N_("Walk-in"),
    # what one comes as
    "attendee": N_("Attendee"),
    "student": N_("Student"),
    "speaker": N_("Speaker"),
    "guest": N_("Guest"),
    "sponsor": N_("Sponsor"),
    "media": N_("Media"),
    "volunteer": N_("Volunteer"),
    "staff": N_("Staff"),
    # roles
    "owner": N_("Owner"),
    "programme_chair": N_("Programme chair"),
    "reviewer": N_("Reviewer"),
    "producer": N_("Producer"),
    "volunteer_lead": N_("Volunteer lead"),
    "stock_keeper": N_("Stock keeper"),
    "partner_desk": N_("Partner desk"),
    "scanner": N_("Door scanner"),
    "viewer": N_("Viewer"),
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
