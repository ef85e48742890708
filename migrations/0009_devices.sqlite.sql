-- Phones that scan without an account: pairings, devices, phones tried before the day, scans kept apart.

CREATE TABLE "device" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" VARCHAR(80) NOT NULL,
    "volunteer" VARCHAR(80) NOT NULL /* Who carries it, in a lead's own words; erasable. */,
    "token_digest" VARCHAR(64) NOT NULL UNIQUE,
    "instance" CHAR(36) NOT NULL /* The browser that was paired, and another one that came with its token. */,
    "other_instance" CHAR(36),
    "other_seen_at" TIMESTAMP,
    "sees_names" INT NOT NULL /* May hold the list of names, for searching without network. */,
    "is_lead" INT NOT NULL,
    "may_walk_in" INT NOT NULL,
    "paired_at" TIMESTAMP NOT NULL,
    "created_by" VARCHAR(40) NOT NULL /* Whose pairing it was. */,
    "expires_at" TIMESTAMP NOT NULL,
    "revoked_at" TIMESTAMP,
    "wiped_at" TIMESTAMP /* When the phone itself answered that it has forgotten everything, after it was revoked. */,
    "last_seen_at" TIMESTAMP,
    "app_version" VARCHAR(40) NOT NULL,
    "platform" VARCHAR(80) NOT NULL /* Feature words and the system's family, as the phone told. */,
    "queue_length" INT NOT NULL,
    "snapshot_version" BIGINT,
    "problems" JSON NOT NULL /* device_rules.Trouble that the phone told of last */,
    "checks" JSON NOT NULL /* What the phone could when it was paired: camera, secure, service_worker, storage */,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_device_queue" CHECK (queue_length >= 0),
    CONSTRAINT "ck_device_wiped" CHECK (wiped_at IS NULL OR revoked_at IS NOT NULL)
) /* A phone that scans without an account: what its pairing gave it, until when, and how it was last heard of. */;
CREATE INDEX "idx_device_event" ON "device" ("event_id", "id");
CREATE TABLE "device_checkpoint" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "checkpoint_id" BIGINT NOT NULL REFERENCES "checkpoint" ("id") ON DELETE RESTRICT,
    "device_id" BIGINT NOT NULL REFERENCES "device" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_device_chec_device__ab5a14" UNIQUE ("device_id", "checkpoint_id")
) /* A checkpoint that a device may scan at; none at all means nowhere. */;
CREATE TABLE "device_pairing" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "batch" CHAR(36) NOT NULL /* The sheet that it stands on, and where. */,
    "number" INT NOT NULL,
    "salt" VARCHAR(32) NOT NULL,
    "secret_digest" VARCHAR(64) NOT NULL UNIQUE,
    "code_digest" VARCHAR(64) NOT NULL UNIQUE,
    "name" VARCHAR(80) NOT NULL,
    "volunteer" VARCHAR(80) NOT NULL,
    "checkpoints" JSON NOT NULL,
    "sees_names" INT NOT NULL,
    "is_lead" INT NOT NULL,
    "may_walk_in" INT NOT NULL,
    "device_expires_at" TIMESTAMP NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "withdrawn_at" TIMESTAMP,
    "used_at" TIMESTAMP,
    "used_by" CHAR(36) /* The phone that used it: the only one that may send it again, when the answer was lost. */,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "device_id" BIGINT UNIQUE REFERENCES "device" ("id") ON DELETE RESTRICT /* One pairing is one device, whatever happens at once. */,
    CONSTRAINT "uid_device_pair_batch_df461e" UNIQUE ("batch", "number"),
    CONSTRAINT "ck_device_pairing_used" CHECK ((used_at IS NULL) = (used_by IS NULL))
) /* What one phone may become, once: a secret in a QR code, and a short code for typing. */;
CREATE INDEX "idx_device_pairing_event" ON "device_pairing" ("event_id", "expires_at");
CREATE TABLE "phone_test_link" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "salt" VARCHAR(32) NOT NULL,
    "secret_digest" VARCHAR(64) NOT NULL UNIQUE,
    "volunteer" VARCHAR(80) NOT NULL /* Whom it was sent to; empty for one that is for all. Erasable. */,
    "created_at" TIMESTAMP NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "ends_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* A link by which volunteers try their phones before the day: one for all, or one for somebody. */;
CREATE INDEX "idx_phone_test_link_event" ON "phone_test_link" ("event_id", "id");
CREATE TABLE "phone_test" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "instance" CHAR(36) NOT NULL,
    "name" VARCHAR(80) NOT NULL /* As its owner typed it; erasable. */,
    "checks" JSON NOT NULL /* Each check by name, passed or not. */,
    "platform" VARCHAR(80) NOT NULL /* Which family of browser, by the features it has, never by its name. */,
    "round_trip_ms" INT,
    "tested_at" TIMESTAMP NOT NULL,
    "link_id" BIGINT NOT NULL REFERENCES "phone_test_link" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_phone_test_link_id_10244f" UNIQUE ("link_id", "instance")
) /* What one phone could, the last time it was tried by a link. */;
CREATE INDEX "idx_phone_test_event" ON "phone_test" ("event_id", "id");
CREATE TABLE "quarantined_scan" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "event_id" BIGINT NOT NULL,
    "scan_id" CHAR(36) NOT NULL,
    "checkpoint_id" BIGINT NOT NULL /* As the phone named it; perhaps none of this event's. */,
    "code_hash" VARCHAR(64),
    "direction" VARCHAR(8) NOT NULL,
    "local" VARCHAR(16) NOT NULL /* What the phone told the person, without network. */,
    "at" TIMESTAMP NOT NULL,
    "received_at" TIMESTAMP NOT NULL,
    "is_doubtful" INT NOT NULL,
    "state" VARCHAR(32) NOT NULL /* device_rules.Held: waiting, letting_in, let_in, dropped, counted */,
    "decided_at" TIMESTAMP,
    "decided_by" VARCHAR(40) NOT NULL,
    "reason" VARCHAR(200) NOT NULL /* Why it was dropped; free text, erasable. */,
    "verdict" VARCHAR(32) NOT NULL /* What the door said when it was let in. */,
    "device_id" BIGINT NOT NULL REFERENCES "device" ("id") ON DELETE RESTRICT,
    "passport_id" BIGINT REFERENCES "passport" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_quarantined_device__7b6e7b" UNIQUE ("device_id", "scan_id")
) /* A scan that a revoked or long expired device sent: kept apart until a lead lets it in or drops it. */;
CREATE INDEX "idx_quarantined_scan_event" ON "quarantined_scan" ("event_id", "state", "id");
CREATE INDEX "idx_quarantined_scan_passport" ON "quarantined_scan" ("passport_id");
