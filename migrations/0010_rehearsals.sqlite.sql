-- Rehearsals: scans that are tried before the doors open, in a book of their own that counts nothing.

CREATE TABLE "rehearsal" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "starts_at" TIMESTAMP NOT NULL,
    "ends_at" TIMESTAMP NOT NULL /* As it was planned, or when it was stopped. */,
    "started_by" VARCHAR(40) NOT NULL,
    "stopped_by" VARCHAR(40) NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* A span in which scans are tried and count nowhere; it never goes on past the opening of the doors. */;
CREATE INDEX "idx_rehearsal_event" ON "rehearsal" ("event_id", "id");
CREATE TABLE "rehearsal_scan" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "scan_id" CHAR(36) NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "list_id" BIGINT NOT NULL,
    "ticket_type_id" BIGINT,
    "direction" VARCHAR(8) NOT NULL,
    "verdict" VARCHAR(32) NOT NULL,
    "period" VARCHAR(40) NOT NULL,
    "turn" INT,
    "met_turn" INT,
    "code_hash" VARCHAR(64),
    "at" TIMESTAMP NOT NULL,
    "received_at" TIMESTAMP NOT NULL,
    "is_doubtful" INT NOT NULL,
    "programme_date" DATE NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "body_digest" VARCHAR(64) NOT NULL,
    "cleared_at" TIMESTAMP,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE RESTRICT,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_rehearsal_s_passpor_75e769" UNIQUE ("passport_id", "list_id", "period", "turn", "direction")
) /* A scan of a rehearsal: judged and remembered as any other, in a book of its own that nothing is counted from. */;
CREATE INDEX "idx_rehearsal_scan_event" ON "rehearsal_scan" ("event_id", "cleared_at", "id");
CREATE INDEX "idx_rehearsal_scan_list" ON "rehearsal_scan" ("list_id", "period");
