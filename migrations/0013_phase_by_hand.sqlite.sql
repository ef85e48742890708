-- When an organiser last chose the phase of the review by hand, so that dates that came before don't undo it.
CREATE TABLE "call_for_proposals_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "is_published" INT NOT NULL /* Without it nobody outside sees that there will be a call. */,
    "intro" JSON NOT NULL /* Markdown */,
    "opens_at" TIMESTAMP,
    "closes_at" TIMESTAMP,
    "review_by" TIMESTAMP,
    "notify_by" TIMESTAMP,
    "confirm_by" TIMESTAMP /* Until when somebody who was accepted confirms. */,
    "slides_due_at" TIMESTAMP,
    "languages" JSON NOT NULL /* BCP 47 tags that talks may be given in. */,
    "speakers_at_most" INT NOT NULL,
    "proposals_at_most" INT NOT NULL /* What one account may hand in. */,
    "asks_travel" INT NOT NULL,
    "asks_availability" INT NOT NULL,
    "reviews_needed" INT NOT NULL /* Reviews that every proposal gets at least. */,
    "total_by" VARCHAR(32) NOT NULL /* review_rules.Total: mean, median */,
    "phase_set_at" TIMESTAMP /* When somebody last chose the active phase of the review by hand. */,
    "follow_up_days" INT NOT NULL /* Days until an invited speaker who has not answered is asked again. */,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "speaker_ticket_type_id" BIGINT REFERENCES "ticket_type" ("id") ON DELETE RESTRICT /* What a confirmed speaker is registered as; NULL: the first ticket type for speakers. */,
    "event_id" BIGINT NOT NULL UNIQUE REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_call_window" CHECK (opens_at IS NULL OR closes_at IS NULL OR closes_at > opens_at)
) /* An event's call for proposals: one an event; its dates, its words, and how its reviews are counted. */;
INSERT INTO "call_for_proposals_new" ("id", "is_published", "intro", "opens_at", "closes_at", "review_by", "notify_by", "confirm_by", "slides_due_at", "languages", "speakers_at_most", "proposals_at_most", "asks_travel", "asks_availability", "reviews_needed", "total_by", "follow_up_days", "created_at", "updated_at", "speaker_ticket_type_id", "event_id")
    SELECT "id", "is_published", "intro", "opens_at", "closes_at", "review_by", "notify_by", "confirm_by", "slides_due_at", "languages", "speakers_at_most", "proposals_at_most", "asks_travel", "asks_availability", "reviews_needed", "total_by", "follow_up_days", "created_at", "updated_at", "speaker_ticket_type_id", "event_id" FROM "call_for_proposals";
DROP TABLE "call_for_proposals";
ALTER TABLE "call_for_proposals_new" RENAME TO "call_for_proposals";
