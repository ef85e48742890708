-- Rehearsals: scans that are tried before the doors open, in a book of their own that counts nothing.

CREATE TABLE "rehearsal" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "starts_at" TIMESTAMPTZ NOT NULL,
    "ends_at" TIMESTAMPTZ NOT NULL,
    "started_by" VARCHAR(40) NOT NULL,
    "stopped_by" VARCHAR(40) NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_rehearsal_event" ON "rehearsal" ("event_id", "id");
CREATE TABLE "rehearsal_scan" (
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
    "cleared_at" TIMESTAMPTZ,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE RESTRICT,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_rehearsal_s_passpor_75e769" UNIQUE ("passport_id", "list_id", "period", "turn", "direction")
);
CREATE INDEX "idx_rehearsal_scan_event" ON "rehearsal_scan" ("event_id", "cleared_at", "id");
CREATE INDEX "idx_rehearsal_scan_list" ON "rehearsal_scan" ("list_id", "period");
COMMENT ON COLUMN "rehearsal"."ends_at" IS 'As it was planned, or when it was stopped.';
COMMENT ON TABLE "rehearsal" IS 'A span in which scans are tried and count nowhere; it never goes on past the opening of the doors.';
COMMENT ON TABLE "rehearsal_scan" IS 'A scan of a rehearsal: judged and remembered as any other, in a book of its own that nothing is counted from.';
