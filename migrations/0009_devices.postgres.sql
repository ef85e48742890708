-- Phones that scan without an account: pairings, devices, phones tried before the day, scans kept apart.

CREATE TABLE "device" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" VARCHAR(80) NOT NULL,
    "volunteer" VARCHAR(80) NOT NULL,
    "token_digest" VARCHAR(64) NOT NULL UNIQUE,
    "instance" UUID NOT NULL,
    "other_instance" UUID,
    "other_seen_at" TIMESTAMPTZ,
    "sees_names" BOOL NOT NULL,
    "is_lead" BOOL NOT NULL,
    "may_walk_in" BOOL NOT NULL,
    "paired_at" TIMESTAMPTZ NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "revoked_at" TIMESTAMPTZ,
    "wiped_at" TIMESTAMPTZ,
    "last_seen_at" TIMESTAMPTZ,
    "app_version" VARCHAR(40) NOT NULL,
    "platform" VARCHAR(80) NOT NULL,
    "queue_length" INT NOT NULL,
    "snapshot_version" BIGINT,
    "problems" JSONB NOT NULL,
    "checks" JSONB NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_device_queue" CHECK (queue_length >= 0),
    CONSTRAINT "ck_device_wiped" CHECK (wiped_at IS NULL OR revoked_at IS NOT NULL)
);
CREATE INDEX "idx_device_event" ON "device" ("event_id", "id");
COMMENT ON COLUMN "device"."volunteer" IS 'Who carries it, in a lead''s own words; erasable.';
COMMENT ON COLUMN "device"."instance" IS 'The browser that was paired, and another one that came with its token.';
COMMENT ON COLUMN "device"."sees_names" IS 'May hold the list of names, for searching without network.';
COMMENT ON COLUMN "device"."created_by" IS 'Whose pairing it was.';
COMMENT ON COLUMN "device"."wiped_at" IS 'When the phone itself answered that it has forgotten everything, after it was revoked.';
COMMENT ON COLUMN "device"."platform" IS 'Feature words and the system''s family, as the phone told.';
COMMENT ON COLUMN "device"."problems" IS 'device_rules.Trouble that the phone told of last';
COMMENT ON COLUMN "device"."checks" IS 'What the phone could when it was paired: camera, secure, service_worker, storage';
COMMENT ON TABLE "device" IS 'A phone that scans without an account: what its pairing gave it, until when, and how it was last heard of.';
CREATE TABLE "device_checkpoint" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE RESTRICT,
    "device_id" BIGINT NOT NULL REFERENCES "device" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_device_chec_device__ab5a14" UNIQUE ("device_id", "checkpoint_id")
);
COMMENT ON TABLE "device_checkpoint" IS 'A checkpoint that a device may scan at; none at all means nowhere.';
CREATE TABLE "device_pairing" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "batch" UUID NOT NULL,
    "number" INT NOT NULL,
    "salt" VARCHAR(32) NOT NULL,
    "secret_digest" VARCHAR(64) NOT NULL UNIQUE,
    "code_digest" VARCHAR(64) NOT NULL UNIQUE,
    "name" VARCHAR(80) NOT NULL,
    "volunteer" VARCHAR(80) NOT NULL,
    "checkpoints" JSONB NOT NULL,
    "sees_names" BOOL NOT NULL,
    "is_lead" BOOL NOT NULL,
    "may_walk_in" BOOL NOT NULL,
    "device_expires_at" TIMESTAMPTZ NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "withdrawn_at" TIMESTAMPTZ,
    "used_at" TIMESTAMPTZ,
    "used_by" UUID,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "device_id" BIGINT UNIQUE REFERENCES "device" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_device_pair_batch_df461e" UNIQUE ("batch", "number"),
    CONSTRAINT "ck_device_pairing_used" CHECK ((used_at IS NULL) = (used_by IS NULL))
);
CREATE INDEX "idx_device_pairing_event" ON "device_pairing" ("event_id", "expires_at");
COMMENT ON COLUMN "device_pairing"."batch" IS 'The sheet that it stands on, and where.';
COMMENT ON COLUMN "device_pairing"."used_by" IS 'The phone that used it: the only one that may send it again, when the answer was lost.';
COMMENT ON COLUMN "device_pairing"."device_id" IS 'One pairing is one device, whatever happens at once.';
COMMENT ON TABLE "device_pairing" IS 'What one phone may become, once: a secret in a QR code, and a short code for typing.';
CREATE TABLE "phone_test_link" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "salt" VARCHAR(32) NOT NULL,
    "secret_digest" VARCHAR(64) NOT NULL UNIQUE,
    "volunteer" VARCHAR(80) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "ends_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_phone_test_link_event" ON "phone_test_link" ("event_id", "id");
COMMENT ON COLUMN "phone_test_link"."volunteer" IS 'Whom it was sent to; empty for one that is for all. Erasable.';
COMMENT ON TABLE "phone_test_link" IS 'A link by which volunteers try their phones before the day: one for all, or one for somebody.';
CREATE TABLE "phone_test" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "instance" UUID NOT NULL,
    "name" VARCHAR(80) NOT NULL,
    "checks" JSONB NOT NULL,
    "platform" VARCHAR(80) NOT NULL,
    "round_trip_ms" INT,
    "tested_at" TIMESTAMPTZ NOT NULL,
    "link_id" BIGINT NOT NULL REFERENCES "phone_test_link" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_phone_test_link_id_10244f" UNIQUE ("link_id", "instance")
);
CREATE INDEX "idx_phone_test_event" ON "phone_test" ("event_id", "id");
COMMENT ON COLUMN "phone_test"."name" IS 'As its owner typed it; erasable.';
COMMENT ON COLUMN "phone_test"."checks" IS 'Each check by name, passed or not.';
COMMENT ON COLUMN "phone_test"."platform" IS 'Which family of browser, by the features it has, never by its name.';
COMMENT ON TABLE "phone_test" IS 'What one phone could, the last time it was tried by a link.';
CREATE TABLE "quarantined_scan" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "scan_id" UUID NOT NULL,
    "checkpoint_id" BIGINT NOT NULL,
    "code_hash" VARCHAR(64),
    "direction" VARCHAR(8) NOT NULL,
    "local" VARCHAR(16) NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "received_at" TIMESTAMPTZ NOT NULL,
    "is_doubtful" BOOL NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "decided_at" TIMESTAMPTZ,
    "decided_by" VARCHAR(40) NOT NULL,
    "reason" VARCHAR(200) NOT NULL,
    "verdict" VARCHAR(32) NOT NULL,
    "device_id" BIGINT NOT NULL REFERENCES "device" ("id") ON DELETE RESTRICT,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_quarantined_device__7b6e7b" UNIQUE ("device_id", "scan_id")
);
CREATE INDEX "idx_quarantined_scan_event" ON "quarantined_scan" ("event_id", "state", "id");
CREATE INDEX "idx_quarantined_scan_passport" ON "quarantined_scan" ("passport_id");
COMMENT ON COLUMN "quarantined_scan"."checkpoint_id" IS 'As the phone named it; perhaps none of this event''s.';
COMMENT ON COLUMN "quarantined_scan"."local" IS 'What the phone told the person, without network.';
COMMENT ON COLUMN "quarantined_scan"."state" IS 'device_rules.Held: waiting, letting_in, let_in, dropped, counted';
COMMENT ON COLUMN "quarantined_scan"."reason" IS 'Why it was dropped; free text, erasable.';
COMMENT ON COLUMN "quarantined_scan"."verdict" IS 'What the door said when it was let in.';
COMMENT ON TABLE "quarantined_scan" IS 'A scan that a revoked or long expired device sent: kept apart until a lead lets it in or drops it.';
