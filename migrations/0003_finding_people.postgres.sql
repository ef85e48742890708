-- People who are not a code: search keys, notes to staff, and reasons beside the ledger.

ALTER TABLE "passport" ADD COLUMN "notice" JSONB;
ALTER TABLE "passport" ADD COLUMN "leads_group_id" BIGINT;
CREATE TABLE "person_key" (
    "event_id" BIGINT NOT NULL,
    "forms" VARCHAR(2000) NOT NULL,
    "sort_key" VARCHAR(200) NOT NULL,
    "version" INT NOT NULL,
    "registration_id" BIGINT NOT NULL PRIMARY KEY REFERENCES "registration" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_person_key_event" ON "person_key" ("event_id");
COMMENT ON COLUMN "person_key"."forms" IS 'Every way to type the names in pinyin and initials.';
COMMENT ON COLUMN "person_key"."sort_key" IS 'Where the name stands in a printed list.';
COMMENT ON COLUMN "person_key"."version" IS 'pinyin_rules.VERSION that they were made by.';
COMMENT ON TABLE "person_key" IS 'By what a registration''s person is found besides the letters of the name (pinyin_rules); made anew at will.';
COMMENT ON COLUMN "passport"."notice" IS 'What staff are shown with every verdict: text by language, and attention; a copy of the open HolderNote.';
COMMENT ON COLUMN "passport"."leads_group_id" IS 'The group whose list this person opens at a door (events.queries.groups_led).';
CREATE TABLE "holder_note" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "event_id" BIGINT NOT NULL,
    "text" JSONB NOT NULL,
    "is_attention" BOOL NOT NULL,
    "open_for" BIGINT UNIQUE,
    "created_at" TIMESTAMPTZ NOT NULL,
    "created_by" VARCHAR(40) NOT NULL,
    "done_at" TIMESTAMPTZ,
    "done_by" VARCHAR(40) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_holder_note_passport" ON "holder_note" ("passport_id", "id");
COMMENT ON COLUMN "holder_note"."open_for" IS 'The passport''s id while open, NULL afterwards: unique, so that each has one at most.';
COMMENT ON TABLE "holder_note" IS 'A word to staff about one holder (please see the speakers'' desk), until a lead marks it done.';
CREATE TABLE "scan_reason" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "scan_id" UUID NOT NULL UNIQUE,
    "event_id" BIGINT NOT NULL,
    "text" VARCHAR(200) NOT NULL,
    "passport_id" BIGINT NOT NULL REFERENCES "passport" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_scan_reason_passport" ON "scan_reason" ("passport_id");
COMMENT ON COLUMN "scan_reason"."scan_id" IS 'The scan that it explains.';
COMMENT ON TABLE "scan_reason" IS 'Why a lead admitted against a refusal, or took a scan back; beside the ledger, because free text is erasable.';
