-- Conflicts: scans of which a phone without network had told the person something else.

CREATE TABLE "scan_conflict" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "scan_id" CHAR(36) NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "checkpoint_id" BIGINT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL /* Whose scan it was, and what was told: offline_rules.Local. */,
    "local" VARCHAR(32) NOT NULL,
    "found_at" TIMESTAMP NOT NULL,
    "dealt_at" TIMESTAMP,
    "dealt_by" VARCHAR(40) NOT NULL,
    "note" VARCHAR(200) NOT NULL,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT /* NULL where the code led to nobody of this event. */
) /* A scan of which a phone without network had told the person something else (conflict_rules). */;
CREATE INDEX "idx_scan_conflict_open" ON "scan_conflict" ("event_id", "dealt_at");
CREATE INDEX "idx_scan_conflict_passport" ON "scan_conflict" ("passport_id");
