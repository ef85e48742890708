-- Badges: their numbers and boxes, what was done with them, and stations that print them.

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
    "badge_number" INT /* What stands on the badge, and the box that it lies in; given once, so that a printed one stays right. */,
    "badge_box" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "ticket_type_id" BIGINT NOT NULL REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT NOT NULL UNIQUE REFERENCES "registration" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_passport_event_i_2ccf46" UNIQUE ("event_id", "short_code"),
    CONSTRAINT "uid_passport_event_i_96e01a" UNIQUE ("event_id", "badge_number")
) /* All that a scan reads about its holder; kept in step with the registration by ``registrations.changed``. */;
INSERT INTO "passport_new" ("id", "token", "public_token", "short_code", "status", "badge_name", "badge_line", "notice", "leads_group_id", "created_at", "event_id", "ticket_type_id", "registration_id", "badge_box") SELECT "id", "token", "public_token", "short_code", "status", "badge_name", "badge_line", "notice", "leads_group_id", "created_at", "event_id", "ticket_type_id", "registration_id", '' FROM "passport";
DROP TABLE "passport";
ALTER TABLE "passport_new" RENAME TO "passport";
CREATE INDEX "idx_passport_status" ON "passport" ("event_id", "status");
CREATE TABLE "badge_event" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "act_id" CHAR(36) NOT NULL UNIQUE /* The sender's own id: the same act sent twice is one. */,
    "event_id" BIGINT NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* badge_rules.BadgeAct: printed, reprinted, handed_over, taken_back */,
    "nth" INT NOT NULL,
    "number" INT /* The number that stood on it; one that was printed is given to nobody else. */,
    "at" TIMESTAMP NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_badge_event_passpor_9da8fd" UNIQUE ("passport_id", "kind", "nth")
) /* What was done with a badge: printed, handed over, taken back; append-only. Printing is not entering. */;
CREATE INDEX "idx_badge_event_event" ON "badge_event" ("event_id", "id");
CREATE TABLE "print_station" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" VARCHAR(60) NOT NULL,
    "paper" VARCHAR(32) NOT NULL /* badge_rules.Paper */,
    "shows_line" INT NOT NULL,
    "shows_type" INT NOT NULL,
    "shows_number" INT NOT NULL,
    "shows_code" INT NOT NULL,
    "pause" VARCHAR(32) NOT NULL /* badge_rules.Pause, or nothing while it prints */,
    "is_open" INT NOT NULL,
    "seen_at" TIMESTAMP /* When its page last asked for work: a scanner tells whether anybody prints there. */,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* A laptop with a printer, and how badges look that come out of it. */;
CREATE INDEX "idx_print_station_event" ON "print_station" ("event_id");
CREATE TABLE "print_job" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "request_id" CHAR(36) NOT NULL UNIQUE /* The sender's own id: the same wish sent twice is one job. */,
    "event_id" BIGINT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "requested_at" TIMESTAMP NOT NULL,
    "state" VARCHAR(32) NOT NULL /* badge_rules.JobState: queued, taken, printed, failed, dropped */,
    "taken_by" CHAR(36) /* The window that took it, and until when it may keep it: a crashed one hands back. */,
    "taken_at" TIMESTAMP,
    "lease_until" TIMESTAMP,
    "tries" INT NOT NULL,
    "ended_at" TIMESTAMP,
    "failure" VARCHAR(32) NOT NULL /* badge_rules.PrintFailure, or nothing */,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT,
    "station_id" BIGINT NOT NULL REFERENCES "print_station" ("id") ON DELETE RESTRICT
) /* One badge to be printed at a station. Jobs come out in the order of their ids, one at a time, each once. */;
CREATE INDEX "idx_print_job_station" ON "print_job" ("station_id", "state", "id");
CREATE INDEX "idx_print_job_passport" ON "print_job" ("passport_id");
