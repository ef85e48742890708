-- Badges: their numbers and boxes, what was done with them, and stations that print them.

ALTER TABLE "passport" ADD COLUMN "badge_number" INT;
ALTER TABLE "passport" ADD COLUMN "badge_box" VARCHAR(20) NOT NULL DEFAULT '';
ALTER TABLE "passport" ALTER COLUMN "badge_box" DROP DEFAULT;
ALTER TABLE "passport" ADD CONSTRAINT "uid_passport_event_i_96e01a" UNIQUE ("event_id", "badge_number");
COMMENT ON COLUMN "passport"."badge_number" IS 'What stands on the badge, and the box that it lies in; given once, so that a printed one stays right.';
CREATE TABLE "badge_event" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "act_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "nth" INT NOT NULL,
    "number" INT,
    "at" TIMESTAMPTZ NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_badge_event_passpor_9da8fd" UNIQUE ("passport_id", "kind", "nth")
);
CREATE INDEX "idx_badge_event_event" ON "badge_event" ("event_id", "id");
COMMENT ON COLUMN "badge_event"."act_id" IS 'The sender''s own id: the same act sent twice is one.';
COMMENT ON COLUMN "badge_event"."kind" IS 'badge_rules.BadgeAct: printed, reprinted, handed_over, taken_back';
COMMENT ON COLUMN "badge_event"."number" IS 'The number that stood on it; one that was printed is given to nobody else.';
COMMENT ON TABLE "badge_event" IS 'What was done with a badge: printed, handed over, taken back; append-only. Printing is not entering.';
CREATE TABLE "print_station" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" VARCHAR(60) NOT NULL,
    "paper" VARCHAR(32) NOT NULL,
    "shows_line" BOOL NOT NULL,
    "shows_type" BOOL NOT NULL,
    "shows_number" BOOL NOT NULL,
    "shows_code" BOOL NOT NULL,
    "pause" VARCHAR(32) NOT NULL,
    "is_open" BOOL NOT NULL,
    "seen_at" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_print_station_event" ON "print_station" ("event_id");
COMMENT ON COLUMN "print_station"."paper" IS 'badge_rules.Paper';
COMMENT ON COLUMN "print_station"."pause" IS 'badge_rules.Pause, or nothing while it prints';
COMMENT ON COLUMN "print_station"."seen_at" IS 'When its page last asked for work: a scanner tells whether anybody prints there.';
COMMENT ON TABLE "print_station" IS 'A laptop with a printer, and how badges look that come out of it.';
CREATE TABLE "print_job" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "request_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "requested_at" TIMESTAMPTZ NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "taken_by" UUID,
    "taken_at" TIMESTAMPTZ,
    "lease_until" TIMESTAMPTZ,
    "tries" INT NOT NULL,
    "ended_at" TIMESTAMPTZ,
    "failure" VARCHAR(32) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT,
    "station_id" BIGINT NOT NULL REFERENCES "print_station" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_print_job_station" ON "print_job" ("station_id", "state", "id");
CREATE INDEX "idx_print_job_passport" ON "print_job" ("passport_id");
COMMENT ON COLUMN "print_job"."request_id" IS 'The sender''s own id: the same wish sent twice is one job.';
COMMENT ON COLUMN "print_job"."state" IS 'badge_rules.JobState: queued, taken, printed, failed, dropped';
COMMENT ON COLUMN "print_job"."taken_by" IS 'The window that took it, and until when it may keep it: a crashed one hands back.';
COMMENT ON COLUMN "print_job"."failure" IS 'badge_rules.PrintFailure, or nothing';
COMMENT ON TABLE "print_job" IS 'One badge to be printed at a station. Jobs come out in the order of their ids, one at a time, each once.';
