-- Rooms: what is said of them by hand, heads counted in them, and how a list follows its room.

CREATE TABLE "head_count" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "request_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "count" INT NOT NULL,
    "base" INT NOT NULL,
    "base_key" VARCHAR(40) NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "place_id" BIGINT NOT NULL REFERENCES "place" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_head_count" CHECK (count >= 0)
);
CREATE INDEX "idx_head_count_place" ON "head_count" ("event_id", "place_id", "id");
CREATE TABLE "room_list" (
    "lead_minutes" INT NOT NULL,
    "leaves_others" BOOL NOT NULL,
    "list_id" BIGINT NOT NULL PRIMARY KEY REFERENCES "checkin_list" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_room_list_lead" CHECK (lead_minutes >= 0)
);
CREATE TABLE "room_said" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "request_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "place_id" BIGINT NOT NULL REFERENCES "place" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_room_said_place" ON "room_said" ("event_id", "place_id", "id");
COMMENT ON COLUMN "head_count"."base" IS 'What the room''s scans said at that moment, and in which period: scans since then move the count.';
COMMENT ON TABLE "head_count" IS 'People counted in a room by a volunteer; append-only, the latest counts, a correction is another count.';
COMMENT ON COLUMN "room_list"."lead_minutes" IS 'The next session of the programme is taken from so long before it begins.';
COMMENT ON COLUMN "room_list"."leaves_others" IS 'One of the rooms of which somebody is in one at a time: an entry here is a way out of the others.';
COMMENT ON TABLE "room_list" IS 'A list that counts for a room: how early its door takes the next session, and whether entering leaves others.';
COMMENT ON COLUMN "room_said"."request_id" IS 'The request that said it; once each.';
COMMENT ON COLUMN "room_said"."state" IS 'room_rules.RoomState';
COMMENT ON TABLE "room_said" IS 'What somebody said of a room by hand: open, full, closed, or automatic again; append-only, the latest counts.';
