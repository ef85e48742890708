-- Phones that have not been heard of, so that a board is told once when one falls silent and once when it is back.
CREATE TABLE "quiet_device" (
    "event_id" BIGINT NOT NULL,
    "since" TIMESTAMP NOT NULL /* When it was last heard of. */,
    "device_id" BIGINT NOT NULL PRIMARY KEY REFERENCES "device" ("id") ON DELETE CASCADE
) /* A phone in use that has not been heard of for a while: noted once, so that boards are told, until it is back. */;
CREATE INDEX "idx_quiet_device_event" ON "quiet_device" ("event_id");
