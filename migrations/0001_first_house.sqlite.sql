CREATE TABLE "account" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "email" VARCHAR(254) NOT NULL UNIQUE,
    "name" VARCHAR(120) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "is_admin" INT NOT NULL /* May create events and see the outbox of the whole installation; given on the command line only. */,
    "created_at" TIMESTAMP NOT NULL
) /* A login. ``email`` is the folded comparison key; contact data given for an event belongs to registrations. */;
CREATE TABLE "job" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT,
    "kind" VARCHAR(32) NOT NULL,
    "key" VARCHAR(120) NOT NULL UNIQUE,
    "payload" JSON NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "done" INT NOT NULL,
    "total" INT NOT NULL,
    "result" JSON NOT NULL,
    "tries" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "cancel_wanted" INT NOT NULL,
    "run_at" TIMESTAMP NOT NULL,
    "leased_until" TIMESTAMP,
    "created_at" TIMESTAMP NOT NULL,
    "ended_at" TIMESTAMP
) /* Work for later or for long, taken by lease; one unique ``key`` per occurrence. */;
CREATE INDEX "idx_job_due" ON "job" ("state", "run_at");
CREATE TABLE "journal_entry" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "at" TIMESTAMP NOT NULL,
    "event_id" BIGINT,
    "actor_key" VARCHAR(40) NOT NULL,
    "verb" VARCHAR(48) NOT NULL,
    "object_kind" VARCHAR(32) NOT NULL,
    "object_id" BIGINT NOT NULL,
    "old" JSON NOT NULL,
    "new" JSON NOT NULL
) /* Who did what, when, to what: ids and codes only, append-only. */;
CREATE INDEX "idx_journal_event" ON "journal_entry" ("event_id", "id");
CREATE TABLE "letter" (
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
    "tries" INT NOT NULL,
    "next_try_at" TIMESTAMP NOT NULL,
    "leased_until" TIMESTAMP,
    "last_problem" VARCHAR(300) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "sent_at" TIMESTAMP
) /* A mail in the outbox; ``key`` is unique per occasion, so that the same letter is never queued twice. */;
CREATE INDEX "idx_letter_due" ON "letter" ("state", "next_try_at");
CREATE INDEX "idx_letter_event" ON "letter" ("event_id", "created_at");
CREATE INDEX "idx_letter_sent" ON "letter" ("sent_at");
CREATE TABLE "replay" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "actor_key" VARCHAR(120) NOT NULL,
    "body_digest" VARCHAR(64) NOT NULL,
    "outcome" JSON NOT NULL,
    "created_at" TIMESTAMP NOT NULL
) /* The remembered outcome of an idempotent write: same id, actor and body give the same answer again. */;
CREATE INDEX "idx_replay_created" ON "replay" ("created_at");
CREATE TABLE "sign_in" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "token_digest" VARCHAR(64) NOT NULL UNIQUE,
    "user_agent" VARCHAR(200) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "last_seen_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE CASCADE
) /* A browser's server-side login; the cookie holds the token, the table only its digest. */;
CREATE INDEX "idx_sign_in_expires" ON "sign_in" ("expires_at");
CREATE TABLE "sign_in_code" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "email" VARCHAR(254) NOT NULL,
    "browser_digest" VARCHAR(64) NOT NULL /* Ties the code to the browser that asked for it (digest of a cookie), so that a code read aloud opens nothing. */,
    "code_digest" VARCHAR(64) NOT NULL,
    "tries" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "used_at" TIMESTAMP,
    CONSTRAINT "ck_sign_in_code_tries" CHECK (tries >= 0 AND tries <= 5)
) /* A six-digit code sent to an address; ``tries`` counts wrong guesses, the database refuses the sixth. */;
CREATE INDEX "idx_sign_in_code_email" ON "sign_in_code" ("email", "created_at");
CREATE TABLE "topic_version" (
    "topic" VARCHAR(80) NOT NULL PRIMARY KEY,
    "version" BIGINT NOT NULL
) /* The version of a live state topic, bumped in the transaction that changed its document. */;
CREATE TABLE "upload" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT,
    "stored_name" VARCHAR(64) NOT NULL UNIQUE,
    "filename" VARCHAR(200) NOT NULL,
    "size" BIGINT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "keep_until" TIMESTAMP
) /* A file in MEDIA_DIR under a random name; served only behind an access check and as an attachment. */;
CREATE TABLE "event" (
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
    "day_starts_minute" INT NOT NULL /* When a programme day begins, minutes after local midnight: the party at 01:30 still belongs to yesterday. */,
    "theme_colour" VARCHAR(7) NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "registration_opens_at" TIMESTAMP,
    "registration_closes_at" TIMESTAMP,
    "is_sample" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    CONSTRAINT "ck_event_dates" CHECK (ends_on >= starts_on),
    CONSTRAINT "ck_event_day_start" CHECK (day_starts_minute >= 0 AND day_starts_minute < 720)
) /* One conference, meet-up or reading club; ``slug`` is its alias in every address. */;
CREATE TABLE "import_mapping" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "header_digest" VARCHAR(64) NOT NULL,
    "mapping" JSON NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_import_mapp_event_i_618ccd" UNIQUE ("event_id", "header_digest")
) /* The column mapping chosen for a set of headers, remembered for the next file that looks the same. */;
CREATE TABLE "place" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "capacity" INT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "parent_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_place_event_i_8b1767" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_place_capacity" CHECK (capacity IS NULL OR capacity >= 0)
) /* Anything on the map: one tree, one id used by sessions, checkpoints, shifts, stock and counters. */;
CREATE TABLE "registration_import" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "upload_id" BIGINT NOT NULL,
    "job_id" BIGINT,
    "filename" VARCHAR(200) NOT NULL,
    "header_row" INT NOT NULL,
    "mapping" JSON NOT NULL,
    "options" JSON NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "report" JSON NOT NULL /* {"totals": {...}, "rows": [{"line", "action", "problems", "warnings"}]} */,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "ended_at" TIMESTAMP,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* An uploaded list on its way in. Holds personal data only in its file and report, both erased in time. */;
CREATE TABLE "role_grant" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "role" VARCHAR(32) NOT NULL,
    "scope_kind" VARCHAR(32) NOT NULL /* "" and 0: the whole event */,
    "scope_id" BIGINT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_role_grant_event_i_b25a80" UNIQUE ("event_id", "account_id", "role", "scope_kind", "scope_id")
) /* A role of an account in an event; a scope that names an upper floor's object is a kind and an id. */;
CREATE INDEX "idx_role_grant_account" ON "role_grant" ("account_id");
CREATE TABLE "ticket_type" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "door_note" JSON NOT NULL /* Shown by the verdict at the door: lanyard colour, kit, coupons. */,
    "quota" INT,
    "taken" INT NOT NULL,
    "is_public" INT NOT NULL /* Offered on the public form; others come by import or from organisers. */,
    "is_online" INT NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_ticket_type_event_i_699907" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_ticket_type_taken" CHECK (taken >= 0 AND (quota IS NULL OR taken <= quota))
) /* What one registers as; ``taken`` is guarded by the database and never passes ``quota``. */;
CREATE TABLE "registration" (
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
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_registratio_event_i_3817db" UNIQUE ("event_id", "external_id"),
    CONSTRAINT "uid_registratio_event_i_4d9e9c" UNIQUE ("event_id", "external_code")
) /* A person's right to attend, of a ticket type. Contact data lives here and nowhere else. */;
CREATE INDEX "idx_registration_email" ON "registration" ("event_id", "email");
CREATE INDEX "idx_registration_last4" ON "registration" ("event_id", "phone_last4");
CREATE INDEX "idx_registration_created" ON "registration" ("event_id", "created_at");
CREATE INDEX "idx_registration_type" ON "registration" ("ticket_type_id", "state");
CREATE INDEX "idx_registration_any_email" ON "registration" ("email");
CREATE TABLE "session" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "guid" CHAR(36) NOT NULL UNIQUE,
    "kind" VARCHAR(32) NOT NULL,
    "title" JSON NOT NULL,
    "speakers" VARCHAR(300) NOT NULL,
    "starts_at" TIMESTAMP NOT NULL,
    "ends_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "place_id" BIGINT REFERENCES "place" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_session_lasts" CHECK (ends_at > starts_at)
) /* A programme item with time and room; its guid never changes. */;
CREATE INDEX "idx_session_event" ON "session" ("event_id", "starts_at");
CREATE TABLE "checkin_list" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "once" VARCHAR(32) NOT NULL /* rules.Once: event, day, window, session */,
    "capacity" INT /* Enforced limit of people inside at once; NULL: counted only. */,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* What a passport can be "already here" in; lanes of one door share one. ``once`` says per what. */;
CREATE TABLE "checkpoint" (
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
    CONSTRAINT "uid_checkpoint_event_i_1e4066" UNIQUE ("event_id", "code")
) /* Where passports are scanned: a gate, a session's door, a booth, a meal. */;
CREATE TABLE "checkpoint_ticket_type" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE CASCADE,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_checkpoint__checkpo_e04f90" UNIQUE ("checkpoint_id", "ticket_type_id")
) /* A ticket type that a checkpoint accepts; none at all means every type. */;
CREATE TABLE "checkpoint_window" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "opens_at" TIMESTAMP NOT NULL,
    "closes_at" TIMESTAMP NOT NULL,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_checkpoint_window_lasts" CHECK (closes_at > opens_at)
) /* A span in which a checkpoint accepts; none at all means always. For meals each is a period of its own. */;
CREATE TABLE "day_tally" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "checkpoint_id" BIGINT NOT NULL,
    "programme_date" DATE NOT NULL,
    "ticket_type_id" BIGINT NOT NULL /* 0 where the code led to nobody */,
    "outcome" VARCHAR(8) NOT NULL /* rules.Outcome: entry, exit, repeat, refused */,
    "count" INT NOT NULL,
    CONSTRAINT "uid_day_tally_checkpo_836a72" UNIQUE ("checkpoint_id", "programme_date", "ticket_type_id", "outcome")
) /* Counts of scans per checkpoint, programme day, ticket type and kind of outcome; rebuilt from scans at will. */;
CREATE INDEX "idx_day_tally_event" ON "day_tally" ("event_id", "programme_date");
CREATE TABLE "minute_tally" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "minute" BIGINT NOT NULL /* minutes since 1970-01-01 UTC */,
    "outcome" VARCHAR(8) NOT NULL,
    "count" INT NOT NULL,
    CONSTRAINT "uid_minute_tall_event_i_dca5bd" UNIQUE ("event_id", "minute", "outcome")
) /* Counts of scans per event, minute and kind of outcome, for the chart; rebuilt from scans at will. */;
CREATE TABLE "passport" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "token" VARCHAR(32) NOT NULL UNIQUE,
    "public_token" VARCHAR(40) NOT NULL UNIQUE,
    "short_code" VARCHAR(8) NOT NULL,
    "status" VARCHAR(32) NOT NULL /* rules.PassportStatus: valid, not_confirmed, cancelled, revoked */,
    "badge_name" VARCHAR(120) NOT NULL,
    "badge_line" VARCHAR(200) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL UNIQUE REFERENCES "registration" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_passport_event_i_2ccf46" UNIQUE ("event_id", "short_code")
) /* All that a scan reads about its holder; kept in step with the registration by ``registrations.changed``. */;
CREATE INDEX "idx_passport_status" ON "passport" ("event_id", "status");
CREATE TABLE "arrival" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "programme_date" DATE NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_arrival_event_i_a013ba" UNIQUE ("event_id", "programme_date", "passport_id")
) /* A passport's first admission at any gate on a programme day: "arrived today", each person once. */;
CREATE TABLE "passport_code" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "code" VARCHAR(200) NOT NULL /* The token, the short code (upper case), or another shop's ticket code as it is. */,
    "kind" VARCHAR(32) NOT NULL /* rules.CodeKind: token, short, external */,
    "is_live" INT NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_passport_co_event_i_999e70" UNIQUE ("event_id", "code")
) /* Every code that has ever led to a passport. A dead one (reissued) still says whose it was: revoked, not unknown. */;
CREATE INDEX "idx_passport_code_code" ON "passport_code" ("code");
CREATE INDEX "idx_passport_code_passport" ON "passport_code" ("passport_id");
CREATE TABLE "presence" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "period" VARCHAR(40) NOT NULL,
    "inside" INT NOT NULL,
    "list_id" BIGINT NOT NULL REFERENCES "checkin_list" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_presence_list_id_e01f52" UNIQUE ("list_id", "period"),
    CONSTRAINT "ck_presence_inside" CHECK (inside >= 0)
) /* People inside a list in a period: the guard of an enforced capacity, rebuilt from scans at will. */;
CREATE TABLE "scan" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "scan_id" CHAR(36) NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "list_id" BIGINT NOT NULL,
    "ticket_type_id" BIGINT,
    "direction" VARCHAR(8) NOT NULL,
    "verdict" VARCHAR(32) NOT NULL /* rules.VerdictCode */,
    "period" VARCHAR(40) NOT NULL,
    "turn" INT,
    "met_turn" INT /* The turn that a repeat met, for "first at 09:41, north gate": its admission stands under the same key. */,
    "code_hash" VARCHAR(64) /* A code that led to nobody, as a keyed hash: people scan payment codes. */,
    "at" TIMESTAMP NOT NULL /* Effective time (arrival minus age for a queued scan); ``received_at`` is the arrival. */,
    "received_at" TIMESTAMP NOT NULL,
    "is_doubtful" INT NOT NULL,
    "programme_date" DATE NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "body_digest" VARCHAR(64) NOT NULL /* Digest of code, checkpoint and direction: the same scan_id with another body is a conflict. */,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE RESTRICT,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_scan_passpor_9ad2ff" UNIQUE ("passport_id", "list_id", "period", "turn", "direction"),
    CONSTRAINT "ck_scan_turn" CHECK (turn IS NULL OR turn >= 0)
) /* One reading of a code at a checkpoint, accepted or refused; append-only. */;
CREATE INDEX "idx_scan_event" ON "scan" ("event_id", "id");
CREATE INDEX "idx_scan_checkpoint" ON "scan" ("checkpoint_id", "id");
