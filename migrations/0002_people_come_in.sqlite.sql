-- People come in: sign-in by providers, roles and invitations, registration in full, sites, privacy.

CREATE TABLE "api_token" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" VARCHAR(80) NOT NULL,
    "token_digest" VARCHAR(64) NOT NULL UNIQUE,
    "event_id" BIGINT /* NULL: every event of the account. */,
    "scopes" JSON NOT NULL /* Names of events.rules.Permission. */,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "last_used_at" TIMESTAMP,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE CASCADE
) /* A token for programs: an account's rights, cut down to some permissions and perhaps one event; shown once. */;
CREATE TABLE "identity" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "provider" VARCHAR(32) NOT NULL /* The provider's key in the settings: authing, github, gitee, ... */,
    "subject" VARCHAR(255) NOT NULL,
    "display" VARCHAR(254) NOT NULL /* What the provider calls them: a name to show in the list of one's own sign-ins, never contact data. */,
    "created_at" TIMESTAMP NOT NULL,
    "last_used_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_identity_provide_682363" UNIQUE ("provider", "subject")
) /* A provider's name for somebody; it opens the account that it is joined to, until its owner parts them. */;
CREATE TABLE "letter_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT,
    "key" VARCHAR(120) NOT NULL UNIQUE,
    "to_email" VARCHAR(254) NOT NULL,
    "domain" VARCHAR(254) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "subject" VARCHAR(300) NOT NULL,
    "text" TEXT NOT NULL,
    "attachments" JSON NOT NULL /* [{"filename", "content_type", "base64", "inline_id"?}] */,
    "composer" VARCHAR(32) NOT NULL /* Names what a composer adds at sending time (a QR picture) without keeping secrets in the row. */,
    "composer_id" BIGINT,
    "state" VARCHAR(32) NOT NULL,
    "urgent" INT NOT NULL,
    "purpose" VARCHAR(32) NOT NULL /* "" for what its reader needs (codes, confirmations); "reminder" and the like may be unsubscribed from. */,
    "tries" INT NOT NULL,
    "next_try_at" TIMESTAMP NOT NULL,
    "leased_until" TIMESTAMP,
    "last_problem" VARCHAR(300) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "sent_at" TIMESTAMP
) /* A mail in the outbox; ``key`` is unique per occasion, so that the same letter is never queued twice. */;
INSERT INTO "letter_new" ("id", "event_id", "key", "to_email", "domain", "locale", "subject", "text", "attachments", "composer", "composer_id", "state", "urgent", "tries", "next_try_at", "leased_until", "last_problem", "created_at", "sent_at", "purpose") SELECT "id", "event_id", "key", "to_email", "domain", "locale", "subject", "text", "attachments", "composer", "composer_id", "state", "urgent", "tries", "next_try_at", "leased_until", "last_problem", "created_at", "sent_at", '' FROM "letter";
DROP TABLE "letter";
ALTER TABLE "letter_new" RENAME TO "letter";
CREATE TABLE "provider_visit" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "provider" VARCHAR(32) NOT NULL,
    "state_digest" VARCHAR(64) NOT NULL UNIQUE,
    "browser_digest" VARCHAR(64) NOT NULL,
    "nonce" VARCHAR(64) NOT NULL,
    "verifier" VARCHAR(128) NOT NULL,
    "next_path" VARCHAR(300) NOT NULL,
    "account_id" BIGINT /* Set when somebody who is signed in adds a provider to their account. */,
    "subject" VARCHAR(255) NOT NULL,
    "display" VARCHAR(254) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "returned_at" TIMESTAMP,
    "used_at" TIMESTAMP
) /* One trip to a provider and back: made before the browser leaves, used up once when it returns. */;
CREATE TABLE "sign_in_code_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "email" VARCHAR(254) NOT NULL,
    "browser_digest" VARCHAR(64) NOT NULL /* Ties the code to the browser that asked for it (digest of a cookie), so that a code read aloud opens nothing. */,
    "code_digest" VARCHAR(64) NOT NULL,
    "link_digest" VARCHAR(64) UNIQUE /* Digest of the link's own secret in the same letter; unlike the code it opens in any browser, by a button. */,
    "next_path" VARCHAR(300) NOT NULL /* Where the link leads afterwards; a path of this site. */,
    "visit_id" BIGINT /* The visit to a provider whose bringer proves an address with this code; joined in the same browser only. */,
    "tries" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "used_at" TIMESTAMP,
    CONSTRAINT "ck_sign_in_code_tries" CHECK (tries >= 0 AND tries <= 5)
) /* A six-digit code sent to an address; ``tries`` counts wrong guesses, the database refuses the sixth. */;
INSERT INTO "sign_in_code_new" ("id", "email", "browser_digest", "code_digest", "tries", "created_at", "expires_at", "used_at", "next_path") SELECT "id", "email", "browser_digest", "code_digest", "tries", "created_at", "expires_at", "used_at", '' FROM "sign_in_code";
DROP TABLE "sign_in_code";
ALTER TABLE "sign_in_code_new" RENAME TO "sign_in_code";
CREATE TABLE "unsubscription" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "address_hash" VARCHAR(64) NOT NULL,
    "event_id" BIGINT NOT NULL /* 0: every event of the installation. */,
    "created_at" TIMESTAMP NOT NULL,
    CONSTRAINT "uid_unsubscript_address_014f89" UNIQUE ("address_hash", "event_id")
) /* An address that wants no letters but those it needs; kept as a keyed hash, so that it outlives an erasure. */;
CREATE TABLE "series" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "slug" VARCHAR(48) NOT NULL UNIQUE,
    "name" JSON NOT NULL,
    "created_at" TIMESTAMP NOT NULL
) /* Events that return, year after year: its page lists them all. */;
CREATE TABLE "event_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "slug" VARCHAR(48) NOT NULL UNIQUE,
    "name" JSON NOT NULL,
    "tagline" JSON NOT NULL,
    "text" JSON NOT NULL /* Markdown */,
    "city" JSON NOT NULL,
    "address" JSON NOT NULL,
    "starts_on" DATE NOT NULL,
    "ends_on" DATE NOT NULL,
    "time_zone" VARCHAR(40) NOT NULL,
    "starts_minute" INT /* The clock on the first day it begins and on the last it ends, minutes after local midnight; NULL: whole days. */,
    "ends_minute" INT,
    "day_starts_minute" INT NOT NULL /* When a programme day begins, minutes after local midnight: the party at 01:30 still belongs to yesterday. */,
    "theme_colour" VARCHAR(7) NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "registration_opens_at" TIMESTAMP,
    "registration_closes_at" TIMESTAMP,
    "is_sample" INT NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* rules.EventKind: conference, meetup */,
    "modules" JSON /* rules.Module names that are switched on; NULL: what the kind brings. */,
    "cover_upload_id" BIGINT,
    "contact_email" VARCHAR(254) NOT NULL /* How visitors reach the organisers: an address that is shown in public. */,
    "contact" JSON NOT NULL,
    "privacy_notice" JSON NOT NULL /* Markdown; what happens with people's data. */,
    "self_service_until" TIMESTAMP /* Until when holders change, cancel and hand on their registrations themselves; NULL: until the event begins. */,
    "offer_hours" INT NOT NULL /* Hours that somebody who moves up from the waiting list has to accept. */,
    "retention_days" INT /* Days after the event's end until people are dropped from it; NULL: kept until somebody says so. */,
    "id_document_days" INT /* Days after the event's end until identity documents are deleted; NULL: documents are not asked for. */,
    "people_dropped_at" TIMESTAMP,
    "created_at" TIMESTAMP NOT NULL,
    "series_id" BIGINT REFERENCES "series" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_event_dates" CHECK (ends_on >= starts_on),
    CONSTRAINT "ck_event_day_start" CHECK (day_starts_minute >= 0 AND day_starts_minute < 720)
) /* One conference, meet-up or reading club; ``slug`` is its alias in every address. */;
INSERT INTO "event_new" ("id", "slug", "name", "tagline", "text", "city", "address", "starts_on", "ends_on", "time_zone", "day_starts_minute", "theme_colour", "state", "registration_opens_at", "registration_closes_at", "is_sample", "created_at", "kind", "contact_email", "contact", "privacy_notice", "offer_hours") SELECT "id", "slug", "name", "tagline", "text", "city", "address", "starts_on", "ends_on", "time_zone", "day_starts_minute", "theme_colour", "state", "registration_opens_at", "registration_closes_at", "is_sample", "created_at", 'conference', '', '{}', '{}', 24 FROM "event";
DROP TABLE "event";
ALTER TABLE "event_new" RENAME TO "event";
CREATE TABLE "access_code" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL /* Folded: upper case, no spaces. */,
    "ticket_source" VARCHAR(120) NOT NULL /* Where the free tickets come from ("Datawhale", "讲师赠票"); kept with every registration made by it. */,
    "max_uses" INT,
    "used" INT NOT NULL,
    "valid_until" TIMESTAMP,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_access_code_event_i_fa81d1" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_access_code_used" CHECK (used >= 0 AND (max_uses IS NULL OR used <= max_uses))
) /* A word that opens ticket types, a limited number of times; ``used`` is guarded by the database. */;
CREATE TABLE "consent_text" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "version" INT NOT NULL,
    "title" JSON NOT NULL,
    "text" JSON NOT NULL /* Markdown */,
    "is_required" INT NOT NULL,
    "is_current" INT NOT NULL,
    "position" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_consent_tex_event_i_94e575" UNIQUE ("event_id", "code", "version")
) /* One version of something that people agree to. A text is never changed: a new version takes its place. */;
CREATE TABLE "event_page" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "slug" VARCHAR(48) NOT NULL,
    "title" JSON NOT NULL,
    "text" JSON NOT NULL,
    "is_published" INT NOT NULL,
    "position" INT NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_event_page_event_i_faaa20" UNIQUE ("event_id", "slug")
) /* A page of the organisers' own in Markdown: travel, code of conduct, questions. */;
CREATE TABLE "form_field" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* rules.FieldKind: line, text, number, date, yes_no, choose_one, choose_many, file */,
    "label" JSON NOT NULL,
    "help" JSON NOT NULL,
    "options" JSON NOT NULL /* [{"code", "label": {locale: text}}] for the two kinds that choose */,
    "is_required" INT NOT NULL,
    "is_personal" INT NOT NULL /* Personal data: seen by those who may see contacts, erased with the person. */,
    "is_active" INT NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_form_field_event_i_8cab53" UNIQUE ("event_id", "code")
) /* A question of the organisers' own on the registration form. */;
CREATE TABLE "invitation" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "role" VARCHAR(32) NOT NULL,
    "scopes" JSON NOT NULL /* [[kind, id], ...]; empty: the whole event */,
    "email" VARCHAR(254) NOT NULL /* Folded; the account that accepts must have this address, so that a forwarded link opens nothing. */,
    "actor_key" VARCHAR(40) NOT NULL,
    "letters" INT NOT NULL /* Letters sent so far. */,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "accepted_at" TIMESTAMP,
    "accepted_account_id" BIGINT,
    "revoked_at" TIMESTAMP,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* A role that waits for the owner of an address to take it; the key in its link is derived and stands nowhere. */;
CREATE TABLE "reminder" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "days_before" INT NOT NULL,
    "subject" JSON NOT NULL,
    "text" JSON NOT NULL,
    "is_on" INT NOT NULL,
    "queued_at" TIMESTAMP,
    "queued_count" INT NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_reminder_event_i_10db9f" UNIQUE ("event_id", "days_before")
) /* A letter to everybody who comes, some days before; its words stand in the outbox until it is sent. */;
CREATE TABLE "shared_quota" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "quota" INT NOT NULL,
    "taken" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_shared_quota_taken" CHECK (taken >= 0 AND taken <= quota)
) /* One limit over several ticket types (all who eat lunch, all in the hall); guarded like a type's own. */;
CREATE TABLE "site" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "city" JSON NOT NULL,
    "address" JSON NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_site_event_i_cc0908" UNIQUE ("event_id", "code")
) /* 城市分会场: a part of the event in another city, with places, ticket types and checkpoints of its own. */;
CREATE TABLE "place_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "capacity" INT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "parent_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    "site_id" BIGINT REFERENCES "site" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_place_event_i_8b1767" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_place_capacity" CHECK (capacity IS NULL OR capacity >= 0)
) /* Anything on the map: one tree, one id used by sessions, checkpoints, shifts, stock and counters. */;
INSERT INTO "place_new" ("id", "kind", "code", "name", "capacity", "position", "event_id", "parent_id") SELECT "id", "kind", "code", "name", "capacity", "position", "event_id", "parent_id" FROM "place";
DROP TABLE "place";
ALTER TABLE "place_new" RENAME TO "place";
CREATE TABLE "ticket_type_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "door_note" JSON NOT NULL /* Shown by the verdict at the door: lanyard colour, kit, coupons. */,
    "quota" INT,
    "taken" INT NOT NULL,
    "is_public" INT NOT NULL /* Offered on the public form; others come by import or from organisers. */,
    "is_online" INT NOT NULL,
    "position" INT NOT NULL,
    "role" VARCHAR(32) NOT NULL /* rules.TicketRole: attendee, student, speaker, guest, sponsor, media, volunteer, staff */,
    "description" JSON NOT NULL,
    "opens_at" TIMESTAMP /* Its own window inside the event's; half-open, NULL: the event's alone. */,
    "closes_at" TIMESTAMP,
    "needs_approval" INT NOT NULL,
    "needs_code" INT NOT NULL /* Only with an access code that opens it; with ``is_public`` it is seen but not taken without one. */,
    "has_waitlist" INT NOT NULL,
    "is_walk_in" INT NOT NULL /* Given out by hand at the door's desk. */,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "shared_quota_id" BIGINT REFERENCES "shared_quota" ("id") ON DELETE RESTRICT,
    "site_id" BIGINT REFERENCES "site" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_ticket_type_event_i_699907" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_ticket_type_taken" CHECK (taken >= 0 AND (quota IS NULL OR taken <= quota))
) /* What one registers as; ``taken`` is guarded by the database and never passes ``quota``. */;
INSERT INTO "ticket_type_new" ("id", "code", "name", "door_note", "quota", "taken", "is_public", "is_online", "position", "event_id", "role", "description", "needs_approval", "needs_code", "has_waitlist", "is_walk_in") SELECT "id", "code", "name", "door_note", "quota", "taken", "is_public", "is_online", "position", "event_id", 'attendee', '{}', 0, 0, 0, 0 FROM "ticket_type";
DROP TABLE "ticket_type";
ALTER TABLE "ticket_type_new" RENAME TO "ticket_type";
CREATE TABLE "access_code_ticket_type" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "access_code_id" BIGINT NOT NULL REFERENCES "access_code" ("id") ON DELETE CASCADE,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_access_code_access__f1de87" UNIQUE ("access_code_id", "ticket_type_id")
) /* A ticket type that an access code opens. */;
CREATE TABLE "form_field_ticket_type" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "form_field_id" BIGINT NOT NULL REFERENCES "form_field" ("id") ON DELETE CASCADE,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_form_field__form_fi_0394f0" UNIQUE ("form_field_id", "ticket_type_id")
) /* A ticket type that is asked a question; a question without any is asked of all. */;
CREATE TABLE "registration_group" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* rules.GroupKind: group, partner */,
    "name" VARCHAR(120) NOT NULL,
    "contact_name" VARCHAR(120) NOT NULL,
    "contact_email" VARCHAR(254) NOT NULL /* Folded. */,
    "locale" VARCHAR(16) NOT NULL,
    "quota" INT,
    "taken" INT NOT NULL,
    "valid_until" TIMESTAMP,
    "ticket_source" VARCHAR(120) NOT NULL,
    "secret_round" INT NOT NULL,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_registration_group_taken" CHECK (taken >= 0 AND (quota IS NULL OR taken <= quota))
) /* Registrations that somebody looks after: a group that one person registered, or a partner's or teacher's link. */;
CREATE TABLE "registration_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "source" VARCHAR(32) NOT NULL,
    "name" VARCHAR(120) NOT NULL /* 姓名: one field, never split */,
    "badge_name" VARCHAR(120) NOT NULL,
    "english_name" VARCHAR(120) NOT NULL,
    "email" VARCHAR(254) NOT NULL /* folded; "" when only a phone is known */,
    "phone" VARCHAR(20) NOT NULL /* E.164; "" when only an e-mail is known */,
    "phone_last4" VARCHAR(4) NOT NULL,
    "organisation" VARCHAR(200) NOT NULL,
    "position" VARCHAR(120) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "external_id" VARCHAR(100) /* The row's name in another system (订单号, 报名编号): an import with it updates this registration. */,
    "external_code" VARCHAR(200) /* A code printed by another ticket shop; scanners take it as an alias of the passport. */,
    "search" VARCHAR(600) NOT NULL /* Folded names and organisation, for finding a person at a desk. */,
    "secret_round" INT NOT NULL /* Counted up to make an old secret link worthless; the link itself is derived, never stored. */,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "ticket_source" VARCHAR(120) NOT NULL /* Where a free ticket came from, as the access code or the partner's link says. */,
    "waiting_since" TIMESTAMP /* Since when somebody waits; the waiting list's order. Kept while an offer is open. */,
    "offer_until" TIMESTAMP /* Until when somebody who moved up may accept. */,
    "decided_at" TIMESTAMP,
    "payment_state" VARCHAR(32) NOT NULL /* rules.PaymentState; paid tickets stay with their shop, this is what the shop's list said. */,
    "invoice_title" VARCHAR(200) NOT NULL /* 发票抬头 */,
    "tax_number" VARCHAR(40) NOT NULL /* 税号 */,
    "erased_at" TIMESTAMP /* The person was dropped: counts stay, contact and answers are gone. */,
    "access_code_id" BIGINT REFERENCES "access_code" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "group_id" BIGINT REFERENCES "registration_group" ("id") ON DELETE RESTRICT,
    "merged_into_id" BIGINT REFERENCES "registration" ("id") ON DELETE RESTRICT /* The other record of the same person, which has taken over this one's codes. */,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_registratio_event_i_3817db" UNIQUE ("event_id", "external_id"),
    CONSTRAINT "uid_registratio_event_i_4d9e9c" UNIQUE ("event_id", "external_code")
) /* A person's right to attend, of a ticket type. Contact data lives here and nowhere else. */;
INSERT INTO "registration_new" ("id", "state", "source", "name", "badge_name", "english_name", "email", "phone", "phone_last4", "organisation", "position", "locale", "external_id", "external_code", "search", "secret_round", "created_at", "updated_at", "event_id", "ticket_type_id", "ticket_source", "payment_state", "invoice_title", "tax_number") SELECT "id", "state", "source", "name", "badge_name", "english_name", "email", "phone", "phone_last4", "organisation", "position", "locale", "external_id", "external_code", "search", "secret_round", "created_at", "updated_at", "event_id", "ticket_type_id", '', '', '', '' FROM "registration";
DROP TABLE "registration";
ALTER TABLE "registration_new" RENAME TO "registration";
CREATE TABLE "consent" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "is_given" INT NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "at" TIMESTAMP NOT NULL,
    "consent_text_id" BIGINT NOT NULL REFERENCES "consent_text" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL REFERENCES "registration" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_consent_registr_fb1d40" UNIQUE ("registration_id", "consent_text_id")
) /* What somebody answered to one version of a consent, and when. */;
CREATE TABLE "form_answer" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "value" JSON /* JSON: a text, a number, true or false, an ISO date, a list of option codes; null for a file */,
    "upload_id" BIGINT,
    "form_field_id" BIGINT NOT NULL REFERENCES "form_field" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL REFERENCES "registration" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_form_answer_registr_9a5432" UNIQUE ("registration_id", "form_field_id")
) /* What one registration answered to one question. */;
CREATE TABLE "id_document" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* rules.IdDocumentKind */,
    "ciphertext" TEXT NOT NULL,
    "consented_at" TIMESTAMP NOT NULL,
    "registration_id" BIGINT NOT NULL UNIQUE REFERENCES "registration" ("id") ON DELETE CASCADE
) /* An identity document, encrypted under the installation's key; deleted some days after the event. */;
CREATE TABLE "transfer" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "state" VARCHAR(32) NOT NULL /* rules.TransferState: open, done, withdrawn, refused, expired; at most one open per registration */,
    "to_name" VARCHAR(120) NOT NULL,
    "to_email" VARCHAR(254) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "giver_digest" VARCHAR(64) NOT NULL UNIQUE /* Digests of the secrets in the two letters. */,
    "taker_digest" VARCHAR(64) NOT NULL UNIQUE,
    "giver_confirmed_at" TIMESTAMP,
    "taker_confirmed_at" TIMESTAMP,
    "open_for" BIGINT UNIQUE /* The registration's id while open, NULL afterwards: unique, so that no second one is opened beside it. */,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "ended_at" TIMESTAMP,
    "registration_id" BIGINT NOT NULL REFERENCES "registration" ("id") ON DELETE CASCADE
) /* A registration on its way from one person to another: done when both have said yes. */;
CREATE TABLE "checkpoint_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* rules.CheckpointKind: gate, session, booth, meal */,
    "on_repeat" VARCHAR(32) NOT NULL /* rules.OnRepeat: welcome, warn, refuse */,
    "scans_exits" INT NOT NULL,
    "is_open" INT NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "list_id" BIGINT NOT NULL REFERENCES "checkin_list" ("id") ON DELETE RESTRICT,
    "place_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    "session_id" BIGINT REFERENCES "session" ("id") ON DELETE RESTRICT,
    "site_id" BIGINT REFERENCES "site" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_checkpoint_event_i_1e4066" UNIQUE ("event_id", "code")
) /* Where passports are scanned: a gate, a session's door, a booth, a meal. */;
INSERT INTO "checkpoint_new" ("id", "code", "name", "kind", "on_repeat", "scans_exits", "is_open", "position", "event_id", "list_id", "place_id", "session_id") SELECT "id", "code", "name", "kind", "on_repeat", "scans_exits", "is_open", "position", "event_id", "list_id", "place_id", "session_id" FROM "checkpoint";
DROP TABLE "checkpoint";
ALTER TABLE "checkpoint_new" RENAME TO "checkpoint";
CREATE INDEX "idx_api_token_account" ON "api_token" ("account_id");
CREATE INDEX "idx_identity_account" ON "identity" ("account_id");
CREATE INDEX "idx_journal_object" ON "journal_entry" ("object_kind", "object_id", "id");
CREATE INDEX "idx_journal_actor" ON "journal_entry" ("actor_key", "id");
CREATE INDEX "idx_letter_due" ON "letter" ("state", "next_try_at");
CREATE INDEX "idx_letter_event" ON "letter" ("event_id", "created_at");
CREATE INDEX "idx_letter_sent" ON "letter" ("sent_at");
CREATE INDEX "idx_letter_to" ON "letter" ("to_email");
CREATE INDEX "idx_provider_visit_expires" ON "provider_visit" ("expires_at");
CREATE INDEX "idx_sign_in_code_email" ON "sign_in_code" ("email", "created_at");
CREATE INDEX "idx_invitation_event" ON "invitation" ("event_id", "created_at");
CREATE INDEX "idx_invitation_email" ON "invitation" ("email");
CREATE INDEX "idx_registration_group_event" ON "registration_group" ("event_id", "kind");
CREATE INDEX "idx_registration_email" ON "registration" ("event_id", "email");
CREATE INDEX "idx_registration_last4" ON "registration" ("event_id", "phone_last4");
CREATE INDEX "idx_registration_created" ON "registration" ("event_id", "created_at");
CREATE INDEX "idx_registration_type" ON "registration" ("ticket_type_id", "state");
CREATE INDEX "idx_registration_any_email" ON "registration" ("email");
CREATE INDEX "idx_registration_waiting" ON "registration" ("ticket_type_id", "waiting_since");
CREATE INDEX "idx_registration_offer" ON "registration" ("offer_until");
CREATE INDEX "idx_registration_group" ON "registration" ("group_id");
CREATE INDEX "idx_form_answer_field" ON "form_answer" ("form_field_id");
CREATE INDEX "idx_transfer_registration" ON "transfer" ("registration_id");
