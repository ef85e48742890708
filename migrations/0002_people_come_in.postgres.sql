-- People come in: sign-in by providers, roles and invitations, registration in full, sites, privacy.

CREATE TABLE "api_token" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" VARCHAR(80) NOT NULL,
    "token_digest" VARCHAR(64) NOT NULL UNIQUE,
    "event_id" BIGINT,
    "scopes" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "last_used_at" TIMESTAMPTZ,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE CASCADE
);
CREATE TABLE "identity" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "provider" VARCHAR(32) NOT NULL,
    "subject" VARCHAR(255) NOT NULL,
    "display" VARCHAR(254) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "last_used_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_identity_provide_682363" UNIQUE ("provider", "subject")
);
ALTER TABLE "letter" ADD COLUMN "purpose" VARCHAR(32) NOT NULL DEFAULT '';
ALTER TABLE "letter" ALTER COLUMN "purpose" DROP DEFAULT;
CREATE TABLE "provider_visit" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "provider" VARCHAR(32) NOT NULL,
    "state_digest" VARCHAR(64) NOT NULL UNIQUE,
    "browser_digest" VARCHAR(64) NOT NULL,
    "nonce" VARCHAR(64) NOT NULL,
    "verifier" VARCHAR(128) NOT NULL,
    "next_path" VARCHAR(300) NOT NULL,
    "account_id" BIGINT,
    "subject" VARCHAR(255) NOT NULL,
    "display" VARCHAR(254) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "returned_at" TIMESTAMPTZ,
    "used_at" TIMESTAMPTZ
);
ALTER TABLE "sign_in_code" ADD COLUMN "link_digest" VARCHAR(64) UNIQUE;
ALTER TABLE "sign_in_code" ADD COLUMN "next_path" VARCHAR(300) NOT NULL DEFAULT '';
ALTER TABLE "sign_in_code" ALTER COLUMN "next_path" DROP DEFAULT;
ALTER TABLE "sign_in_code" ADD COLUMN "visit_id" BIGINT;
CREATE TABLE "unsubscription" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "address_hash" VARCHAR(64) NOT NULL,
    "event_id" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "uid_unsubscript_address_014f89" UNIQUE ("address_hash", "event_id")
);
CREATE TABLE "series" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "slug" VARCHAR(48) NOT NULL UNIQUE,
    "name" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL
);
ALTER TABLE "event" ADD COLUMN "starts_minute" INT;
ALTER TABLE "event" ADD COLUMN "ends_minute" INT;
ALTER TABLE "event" ADD COLUMN "kind" VARCHAR(32) NOT NULL DEFAULT 'conference';
ALTER TABLE "event" ALTER COLUMN "kind" DROP DEFAULT;
ALTER TABLE "event" ADD COLUMN "modules" JSONB;
ALTER TABLE "event" ADD COLUMN "cover_upload_id" BIGINT;
ALTER TABLE "event" ADD COLUMN "contact_email" VARCHAR(254) NOT NULL DEFAULT '';
ALTER TABLE "event" ALTER COLUMN "contact_email" DROP DEFAULT;
ALTER TABLE "event" ADD COLUMN "contact" JSONB NOT NULL DEFAULT '{}';
ALTER TABLE "event" ALTER COLUMN "contact" DROP DEFAULT;
ALTER TABLE "event" ADD COLUMN "privacy_notice" JSONB NOT NULL DEFAULT '{}';
ALTER TABLE "event" ALTER COLUMN "privacy_notice" DROP DEFAULT;
ALTER TABLE "event" ADD COLUMN "self_service_until" TIMESTAMPTZ;
ALTER TABLE "event" ADD COLUMN "offer_hours" INT NOT NULL DEFAULT 24;
ALTER TABLE "event" ALTER COLUMN "offer_hours" DROP DEFAULT;
ALTER TABLE "event" ADD COLUMN "retention_days" INT;
ALTER TABLE "event" ADD COLUMN "id_document_days" INT;
ALTER TABLE "event" ADD COLUMN "people_dropped_at" TIMESTAMPTZ;
ALTER TABLE "event" ADD COLUMN "series_id" BIGINT REFERENCES "series" ("id") ON DELETE RESTRICT;
CREATE TABLE "access_code" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "ticket_source" VARCHAR(120) NOT NULL,
    "max_uses" INT,
    "used" INT NOT NULL,
    "valid_until" TIMESTAMPTZ,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_access_code_event_i_fa81d1" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_access_code_used" CHECK (used >= 0 AND (max_uses IS NULL OR used <= max_uses))
);
CREATE TABLE "consent_text" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "version" INT NOT NULL,
    "title" JSONB NOT NULL,
    "text" JSONB NOT NULL,
    "is_required" BOOL NOT NULL,
    "is_current" BOOL NOT NULL,
    "position" INT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_consent_tex_event_i_94e575" UNIQUE ("event_id", "code", "version")
);
CREATE TABLE "event_page" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "slug" VARCHAR(48) NOT NULL,
    "title" JSONB NOT NULL,
    "text" JSONB NOT NULL,
    "is_published" BOOL NOT NULL,
    "position" INT NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_event_page_event_i_faaa20" UNIQUE ("event_id", "slug")
);
CREATE TABLE "form_field" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "label" JSONB NOT NULL,
    "help" JSONB NOT NULL,
    "options" JSONB NOT NULL,
    "is_required" BOOL NOT NULL,
    "is_personal" BOOL NOT NULL,
    "is_active" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_form_field_event_i_8cab53" UNIQUE ("event_id", "code")
);
CREATE TABLE "invitation" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "role" VARCHAR(32) NOT NULL,
    "scopes" JSONB NOT NULL,
    "email" VARCHAR(254) NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "letters" INT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "accepted_at" TIMESTAMPTZ,
    "accepted_account_id" BIGINT,
    "revoked_at" TIMESTAMPTZ,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE TABLE "reminder" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "days_before" INT NOT NULL,
    "subject" JSONB NOT NULL,
    "text" JSONB NOT NULL,
    "is_on" BOOL NOT NULL,
    "queued_at" TIMESTAMPTZ,
    "queued_count" INT NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_reminder_event_i_10db9f" UNIQUE ("event_id", "days_before")
);
CREATE TABLE "shared_quota" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "quota" INT NOT NULL,
    "taken" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_shared_quota_taken" CHECK (taken >= 0 AND taken <= quota)
);
CREATE TABLE "site" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "city" JSONB NOT NULL,
    "address" JSONB NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_site_event_i_cc0908" UNIQUE ("event_id", "code")
);
ALTER TABLE "place" ADD COLUMN "site_id" BIGINT REFERENCES "site" ("id") ON DELETE RESTRICT;
ALTER TABLE "ticket_type" ADD COLUMN "role" VARCHAR(32) NOT NULL DEFAULT 'attendee';
ALTER TABLE "ticket_type" ALTER COLUMN "role" DROP DEFAULT;
ALTER TABLE "ticket_type" ADD COLUMN "description" JSONB NOT NULL DEFAULT '{}';
ALTER TABLE "ticket_type" ALTER COLUMN "description" DROP DEFAULT;
ALTER TABLE "ticket_type" ADD COLUMN "opens_at" TIMESTAMPTZ;
ALTER TABLE "ticket_type" ADD COLUMN "closes_at" TIMESTAMPTZ;
ALTER TABLE "ticket_type" ADD COLUMN "needs_approval" BOOL NOT NULL DEFAULT FALSE;
ALTER TABLE "ticket_type" ALTER COLUMN "needs_approval" DROP DEFAULT;
ALTER TABLE "ticket_type" ADD COLUMN "needs_code" BOOL NOT NULL DEFAULT FALSE;
ALTER TABLE "ticket_type" ALTER COLUMN "needs_code" DROP DEFAULT;
ALTER TABLE "ticket_type" ADD COLUMN "has_waitlist" BOOL NOT NULL DEFAULT FALSE;
ALTER TABLE "ticket_type" ALTER COLUMN "has_waitlist" DROP DEFAULT;
ALTER TABLE "ticket_type" ADD COLUMN "is_walk_in" BOOL NOT NULL DEFAULT FALSE;
ALTER TABLE "ticket_type" ALTER COLUMN "is_walk_in" DROP DEFAULT;
ALTER TABLE "ticket_type" ADD COLUMN "shared_quota_id" BIGINT REFERENCES "shared_quota" ("id") ON DELETE RESTRICT;
ALTER TABLE "ticket_type" ADD COLUMN "site_id" BIGINT REFERENCES "site" ("id") ON DELETE RESTRICT;
CREATE TABLE "access_code_ticket_type" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "access_code_id" BIGINT NOT NULL REFERENCES "access_code" ("id") ON DELETE CASCADE,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_access_code_access__f1de87" UNIQUE ("access_code_id", "ticket_type_id")
);
CREATE TABLE "form_field_ticket_type" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "form_field_id" BIGINT NOT NULL REFERENCES "form_field" ("id") ON DELETE CASCADE,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_form_field__form_fi_0394f0" UNIQUE ("form_field_id", "ticket_type_id")
);
CREATE TABLE "registration_group" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "kind" VARCHAR(32) NOT NULL,
    "name" VARCHAR(120) NOT NULL,
    "contact_name" VARCHAR(120) NOT NULL,
    "contact_email" VARCHAR(254) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "quota" INT,
    "taken" INT NOT NULL,
    "valid_until" TIMESTAMPTZ,
    "ticket_source" VARCHAR(120) NOT NULL,
    "secret_round" INT NOT NULL,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_registration_group_taken" CHECK (taken >= 0 AND (quota IS NULL OR taken <= quota))
);
ALTER TABLE "registration" ADD COLUMN "ticket_source" VARCHAR(120) NOT NULL DEFAULT '';
ALTER TABLE "registration" ALTER COLUMN "ticket_source" DROP DEFAULT;
ALTER TABLE "registration" ADD COLUMN "waiting_since" TIMESTAMPTZ;
ALTER TABLE "registration" ADD COLUMN "offer_until" TIMESTAMPTZ;
ALTER TABLE "registration" ADD COLUMN "decided_at" TIMESTAMPTZ;
ALTER TABLE "registration" ADD COLUMN "payment_state" VARCHAR(32) NOT NULL DEFAULT '';
ALTER TABLE "registration" ALTER COLUMN "payment_state" DROP DEFAULT;
ALTER TABLE "registration" ADD COLUMN "invoice_title" VARCHAR(200) NOT NULL DEFAULT '';
ALTER TABLE "registration" ALTER COLUMN "invoice_title" DROP DEFAULT;
ALTER TABLE "registration" ADD COLUMN "tax_number" VARCHAR(40) NOT NULL DEFAULT '';
ALTER TABLE "registration" ALTER COLUMN "tax_number" DROP DEFAULT;
ALTER TABLE "registration" ADD COLUMN "erased_at" TIMESTAMPTZ;
ALTER TABLE "registration" ADD COLUMN "access_code_id" BIGINT REFERENCES "access_code" ("id") ON DELETE RESTRICT;
ALTER TABLE "registration" ADD COLUMN "group_id" BIGINT REFERENCES "registration_group" ("id") ON DELETE RESTRICT;
ALTER TABLE "registration" ADD COLUMN "merged_into_id" BIGINT REFERENCES "registration" ("id") ON DELETE RESTRICT;
CREATE TABLE "consent" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "is_given" BOOL NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "consent_text_id" BIGINT NOT NULL REFERENCES "consent_text" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL REFERENCES "registration" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_consent_registr_fb1d40" UNIQUE ("registration_id", "consent_text_id")
);
CREATE TABLE "form_answer" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "value" JSONB,
    "upload_id" BIGINT,
    "form_field_id" BIGINT NOT NULL REFERENCES "form_field" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL REFERENCES "registration" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_form_answer_registr_9a5432" UNIQUE ("registration_id", "form_field_id")
);
CREATE TABLE "id_document" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "kind" VARCHAR(32) NOT NULL,
    "ciphertext" TEXT NOT NULL,
    "consented_at" TIMESTAMPTZ NOT NULL,
    "registration_id" BIGINT NOT NULL UNIQUE REFERENCES "registration" ("id") ON DELETE CASCADE
);
CREATE TABLE "transfer" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "to_name" VARCHAR(120) NOT NULL,
    "to_email" VARCHAR(254) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "giver_digest" VARCHAR(64) NOT NULL UNIQUE,
    "taker_digest" VARCHAR(64) NOT NULL UNIQUE,
    "giver_confirmed_at" TIMESTAMPTZ,
    "taker_confirmed_at" TIMESTAMPTZ,
    "open_for" BIGINT UNIQUE,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ,
    "registration_id" BIGINT NOT NULL REFERENCES "registration" ("id") ON DELETE CASCADE
);
ALTER TABLE "checkpoint" ADD COLUMN "site_id" BIGINT REFERENCES "site" ("id") ON DELETE RESTRICT;
CREATE INDEX "idx_api_token_account" ON "api_token" ("account_id");
CREATE INDEX "idx_identity_account" ON "identity" ("account_id");
CREATE INDEX "idx_journal_object" ON "journal_entry" ("object_kind", "object_id", "id");
CREATE INDEX "idx_journal_actor" ON "journal_entry" ("actor_key", "id");
CREATE INDEX "idx_letter_to" ON "letter" ("to_email");
CREATE INDEX "idx_provider_visit_expires" ON "provider_visit" ("expires_at");
CREATE INDEX "idx_invitation_event" ON "invitation" ("event_id", "created_at");
CREATE INDEX "idx_invitation_email" ON "invitation" ("email");
CREATE INDEX "idx_registration_group_event" ON "registration_group" ("event_id", "kind");
CREATE INDEX "idx_registration_waiting" ON "registration" ("ticket_type_id", "waiting_since");
CREATE INDEX "idx_registration_offer" ON "registration" ("offer_until");
CREATE INDEX "idx_registration_group" ON "registration" ("group_id");
CREATE INDEX "idx_form_answer_field" ON "form_answer" ("form_field_id");
CREATE INDEX "idx_transfer_registration" ON "transfer" ("registration_id");
COMMENT ON COLUMN "api_token"."event_id" IS 'NULL: every event of the account.';
COMMENT ON COLUMN "api_token"."scopes" IS 'Names of events.rules.Permission.';
COMMENT ON TABLE "api_token" IS 'A token for programs: an account''s rights, cut down to some permissions and perhaps one event; shown once.';
COMMENT ON COLUMN "identity"."provider" IS 'The provider''s key in the settings: authing, github, gitee, ...';
COMMENT ON COLUMN "identity"."display" IS 'What the provider calls them: a name to show in the list of one''s own sign-ins, never contact data.';
COMMENT ON TABLE "identity" IS 'A provider''s name for somebody; it opens the account that it is joined to, until its owner parts them.';
COMMENT ON COLUMN "letter"."purpose" IS '\"\" for what its reader needs (codes, confirmations); \"reminder\" and the like may be unsubscribed from.';
COMMENT ON COLUMN "provider_visit"."account_id" IS 'Set when somebody who is signed in adds a provider to their account.';
COMMENT ON TABLE "provider_visit" IS 'One trip to a provider and back: made before the browser leaves, used up once when it returns.';
COMMENT ON COLUMN "sign_in_code"."link_digest" IS 'Digest of the link''s own secret in the same letter; unlike the code it opens in any browser, by a button.';
COMMENT ON COLUMN "sign_in_code"."next_path" IS 'Where the link leads afterwards; a path of this site.';
COMMENT ON COLUMN "sign_in_code"."visit_id" IS 'The visit to a provider whose bringer proves an address with this code; joined in the same browser only.';
COMMENT ON COLUMN "unsubscription"."event_id" IS '0: every event of the installation.';
COMMENT ON TABLE "unsubscription" IS 'An address that wants no letters but those it needs; kept as a keyed hash, so that it outlives an erasure.';
COMMENT ON TABLE "series" IS 'Events that return, year after year: its page lists them all.';
COMMENT ON COLUMN "event"."starts_minute" IS 'The clock on the first day it begins and on the last it ends, minutes after local midnight; NULL: whole days.';
COMMENT ON COLUMN "event"."kind" IS 'rules.EventKind: conference, meetup';
COMMENT ON COLUMN "event"."modules" IS 'rules.Module names that are switched on; NULL: what the kind brings.';
COMMENT ON COLUMN "event"."contact_email" IS 'How visitors reach the organisers: an address that is shown in public.';
COMMENT ON COLUMN "event"."privacy_notice" IS 'Markdown; what happens with people''s data.';
COMMENT ON COLUMN "event"."self_service_until" IS 'Until when holders change, cancel and hand on their registrations themselves; NULL: until the event begins.';
COMMENT ON COLUMN "event"."offer_hours" IS 'Hours that somebody who moves up from the waiting list has to accept.';
COMMENT ON COLUMN "event"."retention_days" IS 'Days after the event''s end until people are dropped from it; NULL: kept until somebody says so.';
COMMENT ON COLUMN "event"."id_document_days" IS 'Days after the event''s end until identity documents are deleted; NULL: documents are not asked for.';
COMMENT ON COLUMN "access_code"."code" IS 'Folded: upper case, no spaces.';
COMMENT ON COLUMN "access_code"."ticket_source" IS 'Where the free tickets come from (\"Datawhale\", \"讲师赠票\"); kept with every registration made by it.';
COMMENT ON TABLE "access_code" IS 'A word that opens ticket types, a limited number of times; ``used`` is guarded by the database.';
COMMENT ON COLUMN "consent_text"."text" IS 'Markdown';
COMMENT ON TABLE "consent_text" IS 'One version of something that people agree to. A text is never changed: a new version takes its place.';
COMMENT ON TABLE "event_page" IS 'A page of the organisers'' own in Markdown: travel, code of conduct, questions.';
COMMENT ON COLUMN "form_field"."kind" IS 'rules.FieldKind: line, text, number, date, yes_no, choose_one, choose_many, file';
COMMENT ON COLUMN "form_field"."options" IS '[{\"code\", \"label\": {locale: text}}] for the two kinds that choose';
COMMENT ON COLUMN "form_field"."is_personal" IS 'Personal data: seen by those who may see contacts, erased with the person.';
COMMENT ON TABLE "form_field" IS 'A question of the organisers'' own on the registration form.';
COMMENT ON COLUMN "invitation"."scopes" IS '[[kind, id], ...]; empty: the whole event';
COMMENT ON COLUMN "invitation"."email" IS 'Folded; the account that accepts must have this address, so that a forwarded link opens nothing.';
COMMENT ON COLUMN "invitation"."letters" IS 'Letters sent so far.';
COMMENT ON TABLE "invitation" IS 'A role that waits for the owner of an address to take it; the key in its link is derived and stands nowhere.';
COMMENT ON TABLE "reminder" IS 'A letter to everybody who comes, some days before; its words stand in the outbox until it is sent.';
COMMENT ON TABLE "shared_quota" IS 'One limit over several ticket types (all who eat lunch, all in the hall); guarded like a type''s own.';
COMMENT ON TABLE "site" IS '城市分会场: a part of the event in another city, with places, ticket types and checkpoints of its own.';
COMMENT ON COLUMN "ticket_type"."role" IS 'rules.TicketRole: attendee, student, speaker, guest, sponsor, media, volunteer, staff';
COMMENT ON COLUMN "ticket_type"."opens_at" IS 'Its own window inside the event''s; half-open, NULL: the event''s alone.';
COMMENT ON COLUMN "ticket_type"."needs_code" IS 'Only with an access code that opens it; with ``is_public`` it is seen but not taken without one.';
COMMENT ON COLUMN "ticket_type"."is_walk_in" IS 'Given out by hand at the door''s desk.';
COMMENT ON TABLE "access_code_ticket_type" IS 'A ticket type that an access code opens.';
COMMENT ON TABLE "form_field_ticket_type" IS 'A ticket type that is asked a question; a question without any is asked of all.';
COMMENT ON COLUMN "registration_group"."kind" IS 'rules.GroupKind: group, partner';
COMMENT ON COLUMN "registration_group"."contact_email" IS 'Folded.';
COMMENT ON TABLE "registration_group" IS 'Registrations that somebody looks after: a group that one person registered, or a partner''s or teacher''s link.';
COMMENT ON COLUMN "registration"."ticket_source" IS 'Where a free ticket came from, as the access code or the partner''s link says.';
COMMENT ON COLUMN "registration"."waiting_since" IS 'Since when somebody waits; the waiting list''s order. Kept while an offer is open.';
COMMENT ON COLUMN "registration"."offer_until" IS 'Until when somebody who moved up may accept.';
COMMENT ON COLUMN "registration"."payment_state" IS 'rules.PaymentState; paid tickets stay with their shop, this is what the shop''s list said.';
COMMENT ON COLUMN "registration"."invoice_title" IS '发票抬头';
COMMENT ON COLUMN "registration"."tax_number" IS '税号';
COMMENT ON COLUMN "registration"."erased_at" IS 'The person was dropped: counts stay, contact and answers are gone.';
COMMENT ON COLUMN "registration"."merged_into_id" IS 'The other record of the same person, which has taken over this one''s codes.';
COMMENT ON TABLE "consent" IS 'What somebody answered to one version of a consent, and when.';
COMMENT ON COLUMN "form_answer"."value" IS 'JSON: a text, a number, true or false, an ISO date, a list of option codes; null for a file';
COMMENT ON TABLE "form_answer" IS 'What one registration answered to one question.';
COMMENT ON COLUMN "id_document"."kind" IS 'rules.IdDocumentKind';
COMMENT ON TABLE "id_document" IS 'An identity document, encrypted under the installation''s key; deleted some days after the event.';
COMMENT ON COLUMN "transfer"."state" IS 'rules.TransferState: open, done, withdrawn, refused, expired; at most one open per registration';
COMMENT ON COLUMN "transfer"."giver_digest" IS 'Digests of the secrets in the two letters.';
COMMENT ON COLUMN "transfer"."open_for" IS 'The registration''s id while open, NULL afterwards: unique, so that no second one is opened beside it.';
COMMENT ON TABLE "transfer" IS 'A registration on its way from one person to another: done when both have said yes.';
