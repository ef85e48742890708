CREATE TABLE "account" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "email" VARCHAR(254) NOT NULL UNIQUE,
    "name" VARCHAR(120) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "is_admin" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL
);
COMMENT ON COLUMN "account"."is_admin" IS 'May create events and see the outbox of the whole installation; given on the command line only.';
COMMENT ON TABLE "account" IS 'A login. ``email`` is the folded comparison key; contact data given for an event belongs to registrations.';
CREATE TABLE "job" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT,
    "kind" VARCHAR(32) NOT NULL,
    "key" VARCHAR(120) NOT NULL UNIQUE,
    "payload" JSONB NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "done" INT NOT NULL,
    "total" INT NOT NULL,
    "result" JSONB NOT NULL,
    "tries" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "cancel_wanted" BOOL NOT NULL,
    "run_at" TIMESTAMPTZ NOT NULL,
    "leased_until" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ
);
CREATE INDEX "idx_job_due" ON "job" ("state", "run_at");
COMMENT ON TABLE "job" IS 'Work for later or for long, taken by lease; one unique ``key`` per occurrence.';
CREATE TABLE "journal_entry" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT,
    "actor_key" VARCHAR(40) NOT NULL,
    "verb" VARCHAR(48) NOT NULL,
    "object_kind" VARCHAR(32) NOT NULL,
    "object_id" BIGINT NOT NULL,
    "old" JSONB NOT NULL,
    "new" JSONB NOT NULL
);
CREATE INDEX "idx_journal_event" ON "journal_entry" ("event_id", "id");
COMMENT ON TABLE "journal_entry" IS 'Who did what, when, to what: ids and codes only, append-only.';
CREATE TABLE "letter" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT,
    "key" VARCHAR(120) NOT NULL UNIQUE,
    "to_email" VARCHAR(254) NOT NULL,
    "domain" VARCHAR(254) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "subject" VARCHAR(300) NOT NULL,
    "text" TEXT NOT NULL,
    "attachments" JSONB NOT NULL,
    "composer" VARCHAR(32) NOT NULL,
    "composer_id" BIGINT,
    "state" VARCHAR(32) NOT NULL,
    "urgent" BOOL NOT NULL,
    "tries" INT NOT NULL,
    "next_try_at" TIMESTAMPTZ NOT NULL,
    "leased_until" TIMESTAMPTZ,
    "last_problem" VARCHAR(300) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "sent_at" TIMESTAMPTZ
);
CREATE INDEX "idx_letter_due" ON "letter" ("state", "next_try_at");
CREATE INDEX "idx_letter_event" ON "letter" ("event_id", "created_at");
CREATE INDEX "idx_letter_sent" ON "letter" ("sent_at");
COMMENT ON COLUMN "letter"."attachments" IS '[{\"filename\", \"content_type\", \"base64\", \"inline_id\"?}]';
COMMENT ON COLUMN "letter"."composer" IS 'Names what a composer adds at sending time (a QR picture) without keeping secrets in the row.';
COMMENT ON TABLE "letter" IS 'A mail in the outbox; ``key`` is unique per occasion, so that the same letter is never queued twice.';
CREATE TABLE "replay" (
    "id" UUID NOT NULL PRIMARY KEY,
    "actor_key" VARCHAR(120) NOT NULL,
    "body_digest" VARCHAR(64) NOT NULL,
    "outcome" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL
);
CREATE INDEX "idx_replay_created" ON "replay" ("created_at");
COMMENT ON TABLE "replay" IS 'The remembered outcome of an idempotent write: same id, actor and body give the same answer again.';
CREATE TABLE "sign_in" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "token_digest" VARCHAR(64) NOT NULL UNIQUE,
    "user_agent" VARCHAR(200) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "last_seen_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_sign_in_expires" ON "sign_in" ("expires_at");
COMMENT ON TABLE "sign_in" IS 'A browser''s server-side login; the cookie holds the token, the table only its digest.';
CREATE TABLE "sign_in_code" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "email" VARCHAR(254) NOT NULL,
    "browser_digest" VARCHAR(64) NOT NULL,
    "code_digest" VARCHAR(64) NOT NULL,
    "tries" INT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "used_at" TIMESTAMPTZ,
    CONSTRAINT "ck_sign_in_code_tries" CHECK (tries >= 0 AND tries <= 5)
);
CREATE INDEX "idx_sign_in_code_email" ON "sign_in_code" ("email", "created_at");
COMMENT ON COLUMN "sign_in_code"."browser_digest" IS 'Ties the code to the browser that asked for it (digest of a cookie), so that a code read aloud opens nothing.';
COMMENT ON TABLE "sign_in_code" IS 'A six-digit code sent to an address; ``tries`` counts wrong guesses, the database refuses the sixth.';
CREATE TABLE "topic_version" (
    "topic" VARCHAR(80) NOT NULL PRIMARY KEY,
    "version" BIGINT NOT NULL
);
COMMENT ON TABLE "topic_version" IS 'The version of a live state topic, bumped in the transaction that changed its document.';
CREATE TABLE "upload" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT,
    "stored_name" VARCHAR(64) NOT NULL UNIQUE,
    "filename" VARCHAR(200) NOT NULL,
    "size" BIGINT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "keep_until" TIMESTAMPTZ
);
COMMENT ON TABLE "upload" IS 'A file in MEDIA_DIR under a random name; served only behind an access check and as an attachment.';
CREATE TABLE "event" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "slug" VARCHAR(48) NOT NULL UNIQUE,
    "name" JSONB NOT NULL,
    "tagline" JSONB NOT NULL,
    "text" JSONB NOT NULL,
    "city" JSONB NOT NULL,
    "address" JSONB NOT NULL,
    "starts_on" DATE NOT NULL,
    "ends_on" DATE NOT NULL,
    "time_zone" VARCHAR(40) NOT NULL,
    "day_starts_minute" INT NOT NULL,
    "theme_colour" VARCHAR(7) NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "registration_opens_at" TIMESTAMPTZ,
    "registration_closes_at" TIMESTAMPTZ,
    "is_sample" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "ck_event_dates" CHECK (ends_on >= starts_on),
    CONSTRAINT "ck_event_day_start" CHECK (day_starts_minute >= 0 AND day_starts_minute < 720)
);
COMMENT ON COLUMN "event"."text" IS 'Markdown';
COMMENT ON COLUMN "event"."day_starts_minute" IS 'When a programme day begins, minutes after local midnight: the party at 01:30 still belongs to yesterday.';
COMMENT ON TABLE "event" IS 'One conference, meet-up or reading club; ``slug`` is its alias in every address.';
CREATE TABLE "import_mapping" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "header_digest" VARCHAR(64) NOT NULL,
    "mapping" JSONB NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_import_mapp_event_i_618ccd" UNIQUE ("event_id", "header_digest")
);
COMMENT ON TABLE "import_mapping" IS 'The column mapping chosen for a set of headers, remembered for the next file that looks the same.';
CREATE TABLE "place" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "kind" VARCHAR(32) NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "capacity" INT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "parent_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_place_event_i_8b1767" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_place_capacity" CHECK (capacity IS NULL OR capacity >= 0)
);
COMMENT ON TABLE "place" IS 'Anything on the map: one tree, one id used by sessions, checkpoints, shifts, stock and counters.';
CREATE TABLE "registration_import" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "upload_id" BIGINT NOT NULL,
    "job_id" BIGINT,
    "filename" VARCHAR(200) NOT NULL,
    "header_row" INT NOT NULL,
    "mapping" JSONB NOT NULL,
    "options" JSONB NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "report" JSONB NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
COMMENT ON COLUMN "registration_import"."report" IS '{\"totals\": {...}, \"rows\": [{\"line\", \"action\", \"problems\", \"warnings\"}]}';
COMMENT ON TABLE "registration_import" IS 'An uploaded list on its way in. Holds personal data only in its file and report, both erased in time.';
CREATE TABLE "role_grant" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "role" VARCHAR(32) NOT NULL,
    "scope_kind" VARCHAR(32) NOT NULL,
    "scope_id" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_role_grant_event_i_b25a80" UNIQUE ("event_id", "account_id", "role", "scope_kind", "scope_id")
);
CREATE INDEX "idx_role_grant_account" ON "role_grant" ("account_id");
COMMENT ON COLUMN "role_grant"."scope_kind" IS '\"\" and 0: the whole event';
COMMENT ON TABLE "role_grant" IS 'A role of an account in an event; a scope that names an upper floor''s object is a kind and an id.';
CREATE TABLE "ticket_type" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "door_note" JSONB NOT NULL,
    "quota" INT,
    "taken" INT NOT NULL,
    "is_public" BOOL NOT NULL,
    "is_online" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_ticket_type_event_i_699907" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_ticket_type_taken" CHECK (taken >= 0 AND (quota IS NULL OR taken <= quota))
);
COMMENT ON COLUMN "ticket_type"."door_note" IS 'Shown by the verdict at the door: lanyard colour, kit, coupons.';
COMMENT ON COLUMN "ticket_type"."is_public" IS 'Offered on the public form; others come by import or from organisers.';
COMMENT ON TABLE "ticket_type" IS 'What one registers as; ``taken`` is guarded by the database and never passes ``quota``.';
CREATE TABLE "registration" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "state" VARCHAR(32) NOT NULL,
    "source" VARCHAR(32) NOT NULL,
    "name" VARCHAR(120) NOT NULL,
    "badge_name" VARCHAR(120) NOT NULL,
    "english_name" VARCHAR(120) NOT NULL,
    "email" VARCHAR(254) NOT NULL,
    "phone" VARCHAR(20) NOT NULL,
    "phone_last4" VARCHAR(4) NOT NULL,
    "organisation" VARCHAR(200) NOT NULL,
    "position" VARCHAR(120) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "external_id" VARCHAR(100),
    "external_code" VARCHAR(200),
    "search" VARCHAR(600) NOT NULL,
    "secret_round" INT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_registratio_event_i_3817db" UNIQUE ("event_id", "external_id"),
    CONSTRAINT "uid_registratio_event_i_4d9e9c" UNIQUE ("event_id", "external_code")
);
CREATE INDEX "idx_registration_email" ON "registration" ("event_id", "email");
CREATE INDEX "idx_registration_last4" ON "registration" ("event_id", "phone_last4");
CREATE INDEX "idx_registration_created" ON "registration" ("event_id", "created_at");
CREATE INDEX "idx_registration_type" ON "registration" ("ticket_type_id", "state");
CREATE INDEX "idx_registration_any_email" ON "registration" ("email");
COMMENT ON COLUMN "registration"."name" IS '姓名: one field, never split';
COMMENT ON COLUMN "registration"."email" IS 'folded; \"\" when only a phone is known';
COMMENT ON COLUMN "registration"."phone" IS 'E.164; \"\" when only an e-mail is known';
COMMENT ON COLUMN "registration"."external_id" IS 'The row''s name in another system (订单号, 报名编号): an import with it updates this registration.';
COMMENT ON COLUMN "registration"."external_code" IS 'A code printed by another ticket shop; scanners take it as an alias of the passport.';
COMMENT ON COLUMN "registration"."search" IS 'Folded names and organisation, for finding a person at a desk.';
COMMENT ON COLUMN "registration"."secret_round" IS 'Counted up to make an old secret link worthless; the link itself is derived, never stored.';
COMMENT ON TABLE "registration" IS 'A person''s right to attend, of a ticket type. Contact data lives here and nowhere else.';
CREATE TABLE "session" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "guid" UUID NOT NULL UNIQUE,
    "kind" VARCHAR(32) NOT NULL,
    "title" JSONB NOT NULL,
    "speakers" VARCHAR(300) NOT NULL,
    "starts_at" TIMESTAMPTZ NOT NULL,
    "ends_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "place_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_session_lasts" CHECK (ends_at > starts_at)
);
CREATE INDEX "idx_session_event" ON "session" ("event_id", "starts_at");
COMMENT ON TABLE "session" IS 'A programme item with time and room; its guid never changes.';
CREATE TABLE "checkin_list" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "once" VARCHAR(32) NOT NULL,
    "capacity" INT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
COMMENT ON COLUMN "checkin_list"."once" IS 'rules.Once: event, day, window, session';
COMMENT ON COLUMN "checkin_list"."capacity" IS 'Enforced limit of people inside at once; NULL: counted only.';
COMMENT ON TABLE "checkin_list" IS 'What a passport can be \"already here\" in; lanes of one door share one. ``once`` says per what.';
CREATE TABLE "checkpoint" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "on_repeat" VARCHAR(32) NOT NULL,
    "scans_exits" BOOL NOT NULL,
    "is_open" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "list_id" BIGINT NOT NULL REFERENCES "checkin_list" ("id") ON DELETE RESTRICT,
    "place_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    "session_id" BIGINT REFERENCES "session" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_checkpoint_event_i_1e4066" UNIQUE ("event_id", "code")
);
COMMENT ON COLUMN "checkpoint"."kind" IS 'rules.CheckpointKind: gate, session, booth, meal';
COMMENT ON COLUMN "checkpoint"."on_repeat" IS 'rules.OnRepeat: welcome, warn, refuse';
COMMENT ON TABLE "checkpoint" IS 'Where passports are scanned: a gate, a session''s door, a booth, a meal.';
CREATE TABLE "checkpoint_ticket_type" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE CASCADE,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_checkpoint__checkpo_e04f90" UNIQUE ("checkpoint_id", "ticket_type_id")
);
COMMENT ON TABLE "checkpoint_ticket_type" IS 'A ticket type that a checkpoint accepts; none at all means every type.';
CREATE TABLE "checkpoint_window" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "opens_at" TIMESTAMPTZ NOT NULL,
    "closes_at" TIMESTAMPTZ NOT NULL,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_checkpoint_window_lasts" CHECK (closes_at > opens_at)
);
COMMENT ON TABLE "checkpoint_window" IS 'A span in which a checkpoint accepts; none at all means always. For meals each is a period of its own.';
CREATE TABLE "day_tally" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "checkpoint_id" BIGINT NOT NULL,
    "programme_date" DATE NOT NULL,
    "ticket_type_id" BIGINT NOT NULL,
    "outcome" VARCHAR(8) NOT NULL,
    "count" INT NOT NULL,
    CONSTRAINT "uid_day_tally_checkpo_836a72" UNIQUE ("checkpoint_id", "programme_date", "ticket_type_id", "outcome")
);
CREATE INDEX "idx_day_tally_event" ON "day_tally" ("event_id", "programme_date");
COMMENT ON COLUMN "day_tally"."ticket_type_id" IS '0 where the code led to nobody';
COMMENT ON COLUMN "day_tally"."outcome" IS 'rules.Outcome: entry, exit, repeat, refused';
COMMENT ON TABLE "day_tally" IS 'Counts of scans per checkpoint, programme day, ticket type and kind of outcome; rebuilt from scans at will.';
CREATE TABLE "minute_tally" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "minute" BIGINT NOT NULL,
    "outcome" VARCHAR(8) NOT NULL,
    "count" INT NOT NULL,
    CONSTRAINT "uid_minute_tall_event_i_dca5bd" UNIQUE ("event_id", "minute", "outcome")
);
COMMENT ON COLUMN "minute_tally"."minute" IS 'minutes since 1970-01-01 UTC';
COMMENT ON TABLE "minute_tally" IS 'Counts of scans per event, minute and kind of outcome, for the chart; rebuilt from scans at will.';
CREATE TABLE "passport" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "token" VARCHAR(32) NOT NULL UNIQUE,
    "public_token" VARCHAR(40) NOT NULL UNIQUE,
    "short_code" VARCHAR(8) NOT NULL,
    "status" VARCHAR(32) NOT NULL,
    "badge_name" VARCHAR(120) NOT NULL,
    "badge_line" VARCHAR(200) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL UNIQUE REFERENCES "registration" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_passport_event_i_2ccf46" UNIQUE ("event_id", "short_code")
);
CREATE INDEX "idx_passport_status" ON "passport" ("event_id", "status");
COMMENT ON COLUMN "passport"."status" IS 'rules.PassportStatus: valid, not_confirmed, cancelled, revoked';
COMMENT ON TABLE "passport" IS 'All that a scan reads about its holder; kept in step with the registration by ``registrations.changed``.';
CREATE TABLE "arrival" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "programme_date" DATE NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_arrival_event_i_a013ba" UNIQUE ("event_id", "programme_date", "passport_id")
);
COMMENT ON TABLE "arrival" IS 'A passport''s first admission at any gate on a programme day: \"arrived today\", each person once.';
CREATE TABLE "passport_code" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "code" VARCHAR(200) NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "is_live" BOOL NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_passport_co_event_i_999e70" UNIQUE ("event_id", "code")
);
CREATE INDEX "idx_passport_code_code" ON "passport_code" ("code");
CREATE INDEX "idx_passport_code_passport" ON "passport_code" ("passport_id");
COMMENT ON COLUMN "passport_code"."code" IS 'The token, the short code (upper case), or another shop''s ticket code as it is.';
COMMENT ON COLUMN "passport_code"."kind" IS 'rules.CodeKind: token, short, external';
COMMENT ON TABLE "passport_code" IS 'Every code that has ever led to a passport. A dead one (reissued) still says whose it was: revoked, not unknown.';
CREATE TABLE "presence" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "period" VARCHAR(40) NOT NULL,
    "inside" INT NOT NULL,
    "list_id" BIGINT NOT NULL REFERENCES "checkin_list" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_presence_list_id_e01f52" UNIQUE ("list_id", "period"),
    CONSTRAINT "ck_presence_inside" CHECK (inside >= 0)
);
COMMENT ON TABLE "presence" IS 'People inside a list in a period: the guard of an enforced capacity, rebuilt from scans at will.';
CREATE TABLE "scan" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "scan_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "list_id" BIGINT NOT NULL,
    "ticket_type_id" BIGINT,
    "direction" VARCHAR(8) NOT NULL,
    "verdict" VARCHAR(32) NOT NULL,
    "period" VARCHAR(40) NOT NULL,
    "turn" INT,
    "met_turn" INT,
    "code_hash" VARCHAR(64),
    "at" TIMESTAMPTZ NOT NULL,
    "received_at" TIMESTAMPTZ NOT NULL,
    "is_doubtful" BOOL NOT NULL,
    "programme_date" DATE NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "body_digest" VARCHAR(64) NOT NULL,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE RESTRICT,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_scan_passpor_9ad2ff" UNIQUE ("passport_id", "list_id", "period", "turn", "direction"),
    CONSTRAINT "ck_scan_turn" CHECK (turn IS NULL OR turn >= 0)
);
CREATE INDEX "idx_scan_event" ON "scan" ("event_id", "id");
CREATE INDEX "idx_scan_checkpoint" ON "scan" ("checkpoint_id", "id");
COMMENT ON COLUMN "scan"."verdict" IS 'rules.VerdictCode';
COMMENT ON COLUMN "scan"."met_turn" IS 'The turn that a repeat met, for \"first at 09:41, north gate\": its admission stands under the same key.';
COMMENT ON COLUMN "scan"."code_hash" IS 'A code that led to nobody, as a keyed hash: people scan payment codes.';
COMMENT ON COLUMN "scan"."at" IS 'Effective time (arrival minus age for a queued scan); ``received_at`` is the arrival.';
COMMENT ON COLUMN "scan"."body_digest" IS 'Digest of code, checkpoint and direction: the same scan_id with another body is a conflict.';
COMMENT ON TABLE "scan" IS 'One reading of a code at a checkpoint, accepted or refused; append-only.';
