-- People who are not a code: search keys, notes to staff, and reasons beside the ledger.

CREATE TABLE "passport_new" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "token" VARCHAR(32) NOT NULL UNIQUE,
    "public_token" VARCHAR(40) NOT NULL UNIQUE,
    "short_code" VARCHAR(8) NOT NULL,
    "status" VARCHAR(32) NOT NULL /* rules.PassportStatus: valid, not_confirmed, cancelled, revoked */,
    "badge_name" VARCHAR(120) NOT NULL,
    "badge_line" VARCHAR(200) NOT NULL,
    "notice" JSON /* What staff are shown with every verdict: text by language, and attention; a copy of the open HolderNote. */,
    "leads_group_id" BIGINT /* The group whose list this person opens at a door (events.queries.groups_led). */,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL UNIQUE REFERENCES "registration" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_passport_event_i_2ccf46" UNIQUE ("event_id", "short_code")
) /* All that a scan reads about its holder; kept in step with the registration by ``registrations.changed``. */;
INSERT INTO "passport_new" ("id", "token", "public_token", "short_code", "status", "badge_name", "badge_line", "created_at", "event_id", "ticket_type_id", "registration_id") SELECT "id", "token", "public_token", "short_code", "status", "badge_name", "badge_line", "created_at", "event_id", "ticket_type_id", "registration_id" FROM "passport";
DROP TABLE "passport";
ALTER TABLE "passport_new" RENAME TO "passport";
CREATE INDEX "idx_passport_status" ON "passport" ("event_id", "status");
CREATE TABLE "person_key" (
    "event_id" BIGINT NOT NULL,
    "forms" VARCHAR(2000) NOT NULL /* Every way to type the names in pinyin and initials. */,
    "sort_key" VARCHAR(200) NOT NULL /* Where the name stands in a printed list. */,
    "version" INT NOT NULL /* pinyin_rules.VERSION that they were made by. */,
    "registration_id" BIGINT NOT NULL PRIMARY KEY REFERENCES "registration" ("id") ON DELETE CASCADE
) /* By what a registration's person is found besides the letters of the name (pinyin_rules); made anew at will. */;
CREATE INDEX "idx_person_key_event" ON "person_key" ("event_id");
CREATE TABLE "holder_note" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "text" JSON NOT NULL,
    "is_attention" INT NOT NULL,
    "open_for" BIGINT UNIQUE /* The passport's id while open, NULL afterwards: unique, so that each has one at most. */,
    "created_at" TIMESTAMP NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "done_at" TIMESTAMP,
    "done_by" VARCHAR(40) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT
) /* A word to staff about one holder (please see the speakers' desk), until a lead marks it done. */;
CREATE INDEX "idx_holder_note_passport" ON "holder_note" ("passport_id", "id");
CREATE TABLE "scan_reason" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "scan_id" CHAR(36) NOT NULL UNIQUE /* The scan that it explains. */,
    "event_id" BIGINT NOT NULL,
    "text" VARCHAR(200) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT
) /* Why a lead admitted against a refusal, or took a scan back; beside the ledger, because free text is erasable. */;
CREATE INDEX "idx_scan_reason_passport" ON "scan_reason" ("passport_id");
