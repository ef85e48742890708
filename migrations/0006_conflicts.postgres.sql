-- Conflicts: scans of which a phone without network had told the person something else.

CREATE TABLE "scan_conflict" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "scan_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "checkpoint_id" BIGINT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "local" VARCHAR(32) NOT NULL,
    "found_at" TIMESTAMPTZ NOT NULL,
    "dealt_at" TIMESTAMPTZ,
    "dealt_by" VARCHAR(40) NOT NULL,
    "note" VARCHAR(200) NOT NULL,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_scan_conflict_open" ON "scan_conflict" ("event_id", "dealt_at");
CREATE INDEX "idx_scan_conflict_passport" ON "scan_conflict" ("passport_id");
COMMENT ON COLUMN "scan_conflict"."actor_key" IS 'Whose scan it was, and what was told: offline_rules.Local.';
COMMENT ON COLUMN "scan_conflict"."passport_id" IS 'NULL where the code led to nobody of this event.';
COMMENT ON TABLE "scan_conflict" IS 'A scan of which a phone without network had told the person something else (conflict_rules).';
