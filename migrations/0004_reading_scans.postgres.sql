-- Reading scans: the scans behind every number of the board, and refusals by reason exact for the day. No index more
-- than before on the ledger: each costs every scan.
CREATE TABLE "refusal_tally" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "programme_date" DATE NOT NULL,
    "checkpoint_id" BIGINT NOT NULL,
    "verdict" VARCHAR(32) NOT NULL,
    "count" INT NOT NULL,
    CONSTRAINT "uid_refusal_tal_event_i_7672e5" UNIQUE ("event_id", "programme_date", "checkpoint_id", "verdict")
);
COMMENT ON COLUMN "refusal_tally"."verdict" IS 'rules.VerdictCode';
COMMENT ON TABLE "refusal_tally" IS 'Counts of refusals per checkpoint, programme day and reason, for the board; rebuilt from scans at will.';
INSERT INTO "refusal_tally" ("event_id", "programme_date", "checkpoint_id", "verdict", "count")
SELECT "event_id", "programme_date", "checkpoint_id", "verdict", count(*) FROM "scan"
WHERE "verdict" NOT IN ('admitted', 'admitted_by_lead', 'exit_recorded', 'welcome_back', 'already_here', 'already_used', 'entry_undone', 'exit_undone')
GROUP BY "event_id", "programme_date", "checkpoint_id", "verdict";
DROP INDEX "idx_scan_event";
CREATE INDEX "idx_scan_at" ON "scan" ("event_id", "at", "id");
