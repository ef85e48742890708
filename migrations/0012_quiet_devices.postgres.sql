-- Phones that have not been heard of, so that a board is told once when one falls silent and once when it is back.
CREATE TABLE "quiet_device" (
    "event_id" BIGINT NOT NULL,
    "since" TIMESTAMPTZ NOT NULL,
    "device_id" BIGINT NOT NULL PRIMARY KEY REFERENCES "device" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_quiet_device_event" ON "quiet_device" ("event_id");
