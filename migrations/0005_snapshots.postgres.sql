-- The copy of an event's passports that offline scanners carry.

CREATE TABLE "snapshot" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "salt" VARCHAR(64) NOT NULL,
    "version" BIGINT NOT NULL,
    "checked_at" TIMESTAMPTZ,
    "topic_version" BIGINT NOT NULL,
    "event_id" BIGINT NOT NULL UNIQUE REFERENCES "event" ("id") ON DELETE RESTRICT
);
COMMENT ON COLUMN "snapshot"."salt" IS 'Random, in hex; lookup ids and keys of all lines come from it and the codes.';
COMMENT ON COLUMN "snapshot"."checked_at" IS 'When all passports were last compared; NULL until it was whole once.';
COMMENT ON COLUMN "snapshot"."topic_version" IS 'The version of the topic ``snapshot.<event>`` that the comparison had heard of.';
COMMENT ON TABLE "snapshot" IS 'Where an event''s copy for offline scanners stands (checkin.snapshot); made anew at will, but for the salt.';
CREATE TABLE "snapshot_line" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "lookup" VARCHAR(22) NOT NULL,
    "code_id" BIGINT,
    "group_id" BIGINT,
    "version" BIGINT NOT NULL,
    "digest" VARCHAR(64) NOT NULL,
    "sealed" TEXT NOT NULL,
    CONSTRAINT "uid_snapshot_li_event_i_1d06ab" UNIQUE ("event_id", "lookup")
);
CREATE INDEX "idx_snapshot_line_version" ON "snapshot_line" ("event_id", "version");
CREATE INDEX "idx_snapshot_line_code" ON "snapshot_line" ("code_id");
COMMENT ON COLUMN "snapshot_line"."code_id" IS 'The passport_code that it is the line of; NULL for a group''s list.';
COMMENT ON COLUMN "snapshot_line"."digest" IS 'Keyed hash of what the line says; empty: to be made anew.';
COMMENT ON COLUMN "snapshot_line"."sealed" IS 'Empty: gone, and scanners are told so.';
COMMENT ON TABLE "snapshot_line" IS 'What a scanner learns of whoever shows one code, shut under a key that comes from the code itself.';
