-- Rooms: what is said of them by hand, heads counted in them, and how a list follows its room.

CREATE TABLE "head_count" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "request_id" CHAR(36) NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "count" INT NOT NULL,
    "base" INT NOT NULL /* What the room's scans said at that moment, and in which period: scans since then move the count. */,
    "base_key" VARCHAR(40) NOT NULL,
    "at" TIMESTAMP NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "place_id" BIGINT NOT NULL REFERENCES "place" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_head_count" CHECK (count >= 0)
) /* People counted in a room by a volunteer; append-only, the latest counts, a correction is another count. */;
CREATE INDEX "idx_head_count_place" ON "head_count" ("event_id", "place_id", "id");
CREATE TABLE "room_list" (
    "lead_minutes" INT NOT NULL /* The next session of the programme is taken from so long before it begins. */,
    "leaves_others" INT NOT NULL /* One of the rooms of which somebody is in one at a time: an entry here is a way out of the others. */,
    "list_id" BIGINT NOT NULL PRIMARY KEY REFERENCES "checkin_list" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_room_list_lead" CHECK (lead_minutes >= 0)
) /* A list that counts for a room: how early its door takes the next session, and whether entering leaves others. */;
CREATE TABLE "room_said" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "request_id" CHAR(36) NOT NULL UNIQUE /* The request that said it; once each. */,
    "event_id" BIGINT NOT NULL,
    "state" VARCHAR(32) NOT NULL /* room_rules.RoomState */,
    "at" TIMESTAMP NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "place_id" BIGINT NOT NULL REFERENCES "place" ("id") ON DELETE RESTRICT
) /* What somebody said of a room by hand: open, full, closed, or automatic again; append-only, the latest counts. */;
CREATE INDEX "idx_room_said_place" ON "room_said" ("event_id", "place_id", "id");
