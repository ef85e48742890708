-- The copy of an event's passports that offline scanners carry.

CREATE TABLE "snapshot" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "salt" VARCHAR(64) NOT NULL /* Random, in hex; lookup ids and keys of all lines come from it and the codes. */,
    "version" BIGINT NOT NULL,
    "checked_at" TIMESTAMP /* When all passports were last compared; NULL until it was whole once. */,
    "topic_version" BIGINT NOT NULL /* The version of the topic ``snapshot.<event>`` that the comparison had heard of. */,
    "event_id" BIGINT NOT NULL UNIQUE REFERENCES "event" ("id") ON DELETE RESTRICT
) /* Where an event's copy for offline scanners stands (checkin.snapshot); made anew at will, but for the salt. */;
CREATE TABLE "snapshot_line" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "lookup" VARCHAR(22) NOT NULL,
    "code_id" BIGINT /* The passport_code that it is the line of; NULL for a group's list. */,
    "group_id" BIGINT,
    "version" BIGINT NOT NULL,
    "digest" VARCHAR(64) NOT NULL /* Keyed hash of what the line says; empty: to be made anew. */,
    "sealed" TEXT NOT NULL /* Empty: gone, and scanners are told so. */,
    CONSTRAINT "uid_snapshot_li_event_i_1d06ab" UNIQUE ("event_id", "lookup")
) /* What a scanner learns of whoever shows one code, shut under a key that comes from the code itself. */;
CREATE INDEX "idx_snapshot_line_version" ON "snapshot_line" ("event_id", "version");
CREATE INDEX "idx_snapshot_line_code" ON "snapshot_line" ("code_id");
