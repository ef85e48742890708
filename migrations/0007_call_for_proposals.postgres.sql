-- The call for proposals, its proposals and speakers, their reviews, and who was told what: the whole of issue 5 in one step.
CREATE TABLE "call_for_proposals" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "is_published" BOOL NOT NULL,
    "intro" JSONB NOT NULL,
    "opens_at" TIMESTAMPTZ,
    "closes_at" TIMESTAMPTZ,
    "review_by" TIMESTAMPTZ,
    "notify_by" TIMESTAMPTZ,
    "confirm_by" TIMESTAMPTZ,
    "slides_due_at" TIMESTAMPTZ,
    "languages" JSONB NOT NULL,
    "speakers_at_most" INT NOT NULL,
    "proposals_at_most" INT NOT NULL,
    "asks_travel" BOOL NOT NULL,
    "asks_availability" BOOL NOT NULL,
    "reviews_needed" INT NOT NULL,
    "total_by" VARCHAR(32) NOT NULL,
    "follow_up_days" INT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "speaker_ticket_type_id" BIGINT REFERENCES "ticket_type" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL UNIQUE REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_call_window" CHECK (opens_at IS NULL OR closes_at IS NULL OR closes_at > opens_at)
);
COMMENT ON COLUMN "call_for_proposals"."is_published" IS 'Without it nobody outside sees that there will be a call.';
COMMENT ON COLUMN "call_for_proposals"."intro" IS 'Markdown';
COMMENT ON COLUMN "call_for_proposals"."confirm_by" IS 'Until when somebody who was accepted confirms.';
COMMENT ON COLUMN "call_for_proposals"."languages" IS 'BCP 47 tags that talks may be given in.';
COMMENT ON COLUMN "call_for_proposals"."proposals_at_most" IS 'What one account may hand in.';
COMMENT ON COLUMN "call_for_proposals"."reviews_needed" IS 'Reviews that every proposal gets at least.';
COMMENT ON COLUMN "call_for_proposals"."total_by" IS 'review_rules.Total: mean, median';
COMMENT ON COLUMN "call_for_proposals"."follow_up_days" IS 'Days until an invited speaker who has not answered is asked again.';
COMMENT ON COLUMN "call_for_proposals"."speaker_ticket_type_id" IS 'What a confirmed speaker is registered as; NULL: the first ticket type for speakers.';
COMMENT ON TABLE "call_for_proposals" IS 'An event''s call for proposals: one an event; its dates, its words, and how its reviews are counted.';
CREATE TABLE "call_code" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "note" VARCHAR(200) NOT NULL,
    "max_uses" INT,
    "used" INT NOT NULL,
    "valid_until" TIMESTAMPTZ,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_call_code_event_i_9c05bc" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_call_code_used" CHECK (used >= 0 AND (max_uses IS NULL OR used <= max_uses))
);
COMMENT ON COLUMN "call_code"."code" IS 'Folded: upper case, no spaces.';
COMMENT ON TABLE "call_code" IS 'A word that opens the call after its closing, or types and forums that need one; ``used`` is guarded by the database.';
CREATE TABLE "call_field" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "subject" VARCHAR(32) NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "label" JSONB NOT NULL,
    "help" JSONB NOT NULL,
    "options" JSONB NOT NULL,
    "need" VARCHAR(32) NOT NULL,
    "required_after" TIMESTAMPTZ,
    "is_public" BOOL NOT NULL,
    "is_personal" BOOL NOT NULL,
    "for_reviewers" BOOL NOT NULL,
    "is_active" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_call_field_event_i_d75d03" UNIQUE ("event_id", "code")
);
COMMENT ON COLUMN "call_field"."subject" IS 'proposal_rules.Subject: proposal, speaker, review; never changed';
COMMENT ON COLUMN "call_field"."kind" IS 'events.rules.FieldKind';
COMMENT ON COLUMN "call_field"."options" IS '[{\"code\", \"label\": {locale: text}}] for the two kinds that choose';
COMMENT ON COLUMN "call_field"."need" IS 'proposal_rules.Need: optional, required, required_after';
COMMENT ON TABLE "call_field" IS 'A question of the organisers'' own about each proposal, each speaker or each review.';
CREATE TABLE "community" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "url" VARCHAR(500) NOT NULL,
    "logo_upload_id" BIGINT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_community_event" ON "community" ("event_id");
COMMENT ON TABLE "community" IS '出品方: a community that brings a forum out.';
CREATE TABLE "decision_release" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "actor_key" VARCHAR(40) NOT NULL,
    "released_at" TIMESTAMPTZ NOT NULL,
    "count" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_decision_release_event" ON "decision_release" ("event_id");
COMMENT ON TABLE "decision_release" IS 'One press on \"tell everybody\": all pending decisions that it made true.';
CREATE TABLE "forum" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "description" JSONB NOT NULL,
    "colour" VARCHAR(7) NOT NULL,
    "needs_code" BOOL NOT NULL,
    "is_active" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_forum_event_i_c7d964" UNIQUE ("event_id", "code")
);
COMMENT ON COLUMN "forum"."is_active" IS 'Offered on the form; others have invited talks only.';
COMMENT ON TABLE "forum" IS '分论坛: a themed block with producers and producing communities; a producer''s role is narrowed to its id.';
CREATE TABLE "forum_community" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "position" INT NOT NULL,
    "community_id" BIGINT NOT NULL REFERENCES "community" ("id") ON DELETE CASCADE,
    "forum_id" BIGINT NOT NULL REFERENCES "forum" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_forum_commu_forum_i_613782" UNIQUE ("forum_id", "community_id")
);
COMMENT ON TABLE "forum_community" IS 'A producing community of a forum.';
CREATE TABLE "forum_helper" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "email" VARCHAR(254) NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "forum_id" BIGINT NOT NULL REFERENCES "forum" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_forum_helpe_forum_i_a80619" UNIQUE ("forum_id", "email")
);
CREATE INDEX "idx_forum_helper_email" ON "forum_helper" ("email");
COMMENT ON COLUMN "forum_helper"."email" IS 'Folded.';
COMMENT ON TABLE "forum_helper" IS 'Somebody whom a producer lets enter and edit talks of a forum: whoever signs in with this address.';
CREATE TABLE "kept_form" (
    "id" UUID NOT NULL PRIMARY KEY,
    "browser_digest" VARCHAR(64) NOT NULL,
    "typed" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "keep_until" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_kept_form_until" ON "kept_form" ("keep_until");
COMMENT ON COLUMN "kept_form"."browser_digest" IS 'Digest of a cookie of the browser that typed it.';
COMMENT ON COLUMN "kept_form"."typed" IS 'Field names to the texts that were typed.';
COMMENT ON TABLE "kept_form" IS 'What somebody typed without being signed in: waits some hours for them to come back from the sign-in.';
CREATE TABLE "letter_template" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(32) NOT NULL,
    "subject" JSONB NOT NULL,
    "text" JSONB NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_letter_temp_event_i_c6db22" UNIQUE ("event_id", "code")
);
COMMENT ON COLUMN "letter_template"."code" IS 'accepted, rejected, waitlisted, invited, confirmed, received, join, nudge, draft_reminder';
COMMENT ON TABLE "letter_template" IS 'The event''s own words for an occasion; without a row the house''s words are used.';
CREATE TABLE "producer" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "organisation" JSONB NOT NULL,
    "title" JSONB NOT NULL,
    "email" VARCHAR(254) NOT NULL,
    "picture_upload_id" BIGINT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_producer_event" ON "producer" ("event_id");
COMMENT ON COLUMN "producer"."email" IS 'Folded; for organisers alone.';
COMMENT ON TABLE "producer" IS '出品人: a person who answers for forums, as the programme names them; may do so with a role or without an account.';
CREATE TABLE "forum_producer" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "position" INT NOT NULL,
    "forum_id" BIGINT NOT NULL REFERENCES "forum" ("id") ON DELETE CASCADE,
    "producer_id" BIGINT NOT NULL REFERENCES "producer" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_forum_produ_forum_i_8dd359" UNIQUE ("forum_id", "producer_id")
);
COMMENT ON TABLE "forum_producer" IS 'A producer of a forum; a forum has several, and a producer may have several forums.';
CREATE TABLE "review_criterion" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "help" JSONB NOT NULL,
    "weight" INT NOT NULL,
    "low" INT NOT NULL,
    "high" INT NOT NULL,
    "labels" JSONB NOT NULL,
    "is_required" BOOL NOT NULL,
    "is_active" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_review_crit_event_i_9eadc5" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_review_criterion_weight" CHECK (weight >= 0 AND weight <= 100),
    CONSTRAINT "ck_review_criterion_range" CHECK (high > low)
);
COMMENT ON COLUMN "review_criterion"."labels" IS '{\"1\": {locale: text}, ...}: words for some of the values';
COMMENT ON TABLE "review_criterion" IS 'What reviewers give points for; a weight of 0 is shown and not counted.';
CREATE TABLE "review_phase" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "position" INT NOT NULL,
    "starts_at" TIMESTAMPTZ,
    "ends_at" TIMESTAMPTZ,
    "active_for" BIGINT UNIQUE,
    "may_review" BOOL NOT NULL,
    "reach" VARCHAR(32) NOT NULL,
    "names_shown" BOOL NOT NULL,
    "reviewers_shown" BOOL NOT NULL,
    "others" VARCHAR(32) NOT NULL,
    "may_decide" BOOL NOT NULL,
    "may_tag" BOOL NOT NULL,
    "speakers_may_edit" BOOL NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_review_phase_window" CHECK (starts_at IS NULL OR ends_at IS NULL OR ends_at > starts_at),
    CONSTRAINT "ck_review_phase_active" CHECK (active_for IS NULL OR active_for = event_id)
);
COMMENT ON COLUMN "review_phase"."active_for" IS 'The event''s id while active, NULL otherwise.';
COMMENT ON COLUMN "review_phase"."reach" IS 'review_rules.Reach: assigned, all';
COMMENT ON COLUMN "review_phase"."others" IS 'review_rules.Others: never, after_own, always';
COMMENT ON TABLE "review_phase" IS 'A stage of the review with its own rules; of an event at most one is active, kept so by ``active_for``.';
CREATE TABLE "reviewer" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "organisation" VARCHAR(200) NOT NULL,
    "takes_at_most" INT,
    "never_sees_names" BOOL NOT NULL,
    "is_resting" BOOL NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_reviewer_event_i_f1cd78" UNIQUE ("event_id", "account_id")
);
CREATE INDEX "idx_reviewer_account" ON "reviewer" ("account_id");
COMMENT ON COLUMN "reviewer"."never_sees_names" IS 'Names stay hidden from this one whatever the phase says.';
COMMENT ON COLUMN "reviewer"."is_resting" IS 'Left out by the automatic assignment.';
COMMENT ON TABLE "reviewer" IS 'What is known of a reviewer or producer beside the role: where they work, and how much they take on.';
CREATE TABLE "session_type" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "description" JSONB NOT NULL,
    "kind" VARCHAR(32) NOT NULL,
    "minutes" INT NOT NULL,
    "closes_at" TIMESTAMPTZ,
    "needs_code" BOOL NOT NULL,
    "is_active" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_session_typ_event_i_8b7265" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_session_type_minutes" CHECK (minutes > 0 AND minutes <= 1440)
);
COMMENT ON COLUMN "session_type"."kind" IS 'rules.SessionKind of the session that it becomes';
COMMENT ON COLUMN "session_type"."closes_at" IS 'In place of the call''s, earlier or later.';
COMMENT ON COLUMN "session_type"."is_active" IS 'Offered on the form; others are for invited talks.';
COMMENT ON TABLE "session_type" IS 'What a proposal may become: keynote, talk, panel, workshop, with its usual length and perhaps its own closing.';
CREATE TABLE "call_code_opens" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "call_code_id" BIGINT NOT NULL REFERENCES "call_code" ("id") ON DELETE CASCADE,
    "forum_id" BIGINT REFERENCES "forum" ("id") ON DELETE CASCADE,
    "session_type_id" BIGINT REFERENCES "session_type" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_call_code_o_call_co_f1f32f" UNIQUE ("call_code_id", "session_type_id"),
    CONSTRAINT "uid_call_code_o_call_co_056cf6" UNIQUE ("call_code_id", "forum_id"),
    CONSTRAINT "ck_call_code_opens_one" CHECK ((session_type_id IS NULL) <> (forum_id IS NULL))
);
COMMENT ON TABLE "call_code_opens" IS 'A session type or a forum that a code opens; a code without any opens the call as it stands, nothing restricted.';
CREATE TABLE "call_field_scope" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "call_field_id" BIGINT NOT NULL REFERENCES "call_field" ("id") ON DELETE CASCADE,
    "forum_id" BIGINT REFERENCES "forum" ("id") ON DELETE CASCADE,
    "session_type_id" BIGINT REFERENCES "session_type" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_call_field__call_fi_7bfa67" UNIQUE ("call_field_id", "session_type_id"),
    CONSTRAINT "uid_call_field__call_fi_88414e" UNIQUE ("call_field_id", "forum_id"),
    CONSTRAINT "ck_call_field_scope_one" CHECK ((session_type_id IS NULL) <> (forum_id IS NULL))
);
COMMENT ON TABLE "call_field_scope" IS 'A session type or a forum whose proposals are asked a question; a question without any is asked of all.';
CREATE TABLE "proposal" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "guid" UUID NOT NULL UNIQUE,
    "code" VARCHAR(6) NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "pending_state" VARCHAR(32) NOT NULL,
    "pending_at" TIMESTAMPTZ,
    "pending_by" VARCHAR(40) NOT NULL,
    "origin" VARCHAR(32) NOT NULL,
    "minutes" INT,
    "language" VARCHAR(16) NOT NULL,
    "level" VARCHAR(32) NOT NULL,
    "title" JSONB NOT NULL,
    "abstract" JSONB NOT NULL,
    "description" JSONB NOT NULL,
    "audience" TEXT NOT NULL,
    "takeaways" TEXT NOT NULL,
    "previous_talks" TEXT NOT NULL,
    "equipment" TEXT NOT NULL,
    "notes" TEXT NOT NULL,
    "form_id" UUID UNIQUE,
    "version" INT NOT NULL,
    "follow_up_at" TIMESTAMPTZ,
    "external_id" VARCHAR(100),
    "search" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "submitted_at" TIMESTAMPTZ,
    "decided_at" TIMESTAMPTZ,
    "confirmed_at" TIMESTAMPTZ,
    "account_id" BIGINT REFERENCES "account" ("id") ON DELETE RESTRICT,
    "call_code_id" BIGINT REFERENCES "call_code" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "forum_id" BIGINT REFERENCES "forum" ("id") ON DELETE RESTRICT,
    "release_id" BIGINT REFERENCES "decision_release" ("id") ON DELETE RESTRICT,
    "session_id" BIGINT REFERENCES "session" ("id") ON DELETE RESTRICT,
    "session_type_id" BIGINT REFERENCES "session_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_proposal_event_i_3eed88" UNIQUE ("event_id", "code"),
    CONSTRAINT "uid_proposal_event_i_b088cc" UNIQUE ("event_id", "external_id")
);
CREATE INDEX "idx_proposal_event_state" ON "proposal" ("event_id", "state");
CREATE INDEX "idx_proposal_account" ON "proposal" ("account_id");
CREATE INDEX "idx_proposal_follow_up" ON "proposal" ("follow_up_at");
COMMENT ON COLUMN "proposal"."code" IS 'Six of 0-9A-Z, as the schedule formats want it.';
COMMENT ON COLUMN "proposal"."state" IS 'proposal_rules.ProposalState; changed by ``agenda.proposals`` alone';
COMMENT ON COLUMN "proposal"."pending_state" IS 'A decision that nobody has been told yet: \"\", accepted, waitlisted, rejected';
COMMENT ON COLUMN "proposal"."origin" IS 'proposal_rules.Origin: call, invited, import, organiser';
COMMENT ON COLUMN "proposal"."language" IS 'What it is spoken in, BCP 47.';
COMMENT ON COLUMN "proposal"."description" IS 'Markdown';
COMMENT ON COLUMN "proposal"."notes" IS 'For organisers alone.';
COMMENT ON COLUMN "proposal"."form_id" IS 'The form''s UUID: pressed twice it is one proposal.';
COMMENT ON COLUMN "proposal"."version" IS 'Counted up by every change of its texts: a second window that saves an older one is told so.';
COMMENT ON COLUMN "proposal"."follow_up_at" IS 'Invited talks: when to ask again.';
COMMENT ON COLUMN "proposal"."search" IS 'Folded titles and abstracts, for finding and for near-duplicates.';
COMMENT ON COLUMN "proposal"."account_id" IS 'Who hands it in; NULL for what was entered on somebody''s behalf.';
COMMENT ON COLUMN "proposal"."session_id" IS 'The programme item, once it has a time.';
COMMENT ON TABLE "proposal" IS '议题投稿: what somebody wants to say at an event. Its guid is the session''s that it becomes.';
CREATE TABLE "proposal_change" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "at" TIMESTAMPTZ NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "verb" VARCHAR(32) NOT NULL,
    "field" VARCHAR(60) NOT NULL,
    "old" JSONB,
    "new" JSONB,
    "reason" TEXT NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_proposal_change_proposal" ON "proposal_change" ("proposal_id", "id");
COMMENT ON COLUMN "proposal_change"."verb" IS 'proposal_rules.Verb, or \"edit\", \"pend\", \"speakers\", \"resource\", \"tag\", \"answer\"';
COMMENT ON TABLE "proposal_change" IS 'One line of a proposal''s history: who changed what when, from what to what. Never edited, but erased with people.';
CREATE TABLE "proposal_comment" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "text" TEXT NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    "removed_at" TIMESTAMPTZ,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_proposal_comment_proposal" ON "proposal_comment" ("proposal_id", "id");
CREATE INDEX "idx_proposal_comment_account" ON "proposal_comment" ("account_id");
COMMENT ON TABLE "proposal_comment" IS 'A word among organisers and reviewers; never seen by the proposal''s own speakers.';
CREATE TABLE "proposal_redaction" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "title" JSONB NOT NULL,
    "abstract" JSONB NOT NULL,
    "description" JSONB NOT NULL,
    "version" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "proposal_id" BIGINT NOT NULL UNIQUE REFERENCES "proposal" ("id") ON DELETE CASCADE
);
COMMENT ON COLUMN "proposal_redaction"."version" IS 'The proposal''s version that was redacted: a later one wants another look.';
COMMENT ON TABLE "proposal_redaction" IS 'A copy of a proposal''s words without names, which reviewers read while names are hidden.';
CREATE TABLE "proposal_resource" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "purpose" VARCHAR(32) NOT NULL,
    "title" VARCHAR(200) NOT NULL,
    "url" VARCHAR(1000) NOT NULL,
    "upload_id" BIGINT UNIQUE,
    "is_public" BOOL NOT NULL,
    "position" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_proposal_resource_one" CHECK ((url = '') <> (upload_id IS NULL))
);
CREATE INDEX "idx_proposal_resource_proposal" ON "proposal_resource" ("proposal_id");
COMMENT ON COLUMN "proposal_resource"."purpose" IS 'proposal_rules.Purpose: resource, slides, slides_backup';
COMMENT ON COLUMN "proposal_resource"."url" IS 'Either an address or a file.';
COMMENT ON TABLE "proposal_resource" IS 'A file or a link that belongs to a proposal: something to read, its slides, their backup.';
CREATE TABLE "proposal_twin" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "likeness" INT NOT NULL,
    "is_dismissed" BOOL NOT NULL,
    "other_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_proposal_tw_proposa_70ec90" UNIQUE ("proposal_id", "other_id")
);
CREATE INDEX "idx_proposal_twin_other" ON "proposal_twin" ("other_id");
COMMENT ON COLUMN "proposal_twin"."likeness" IS 'Hundredths.';
COMMENT ON COLUMN "proposal_twin"."is_dismissed" IS 'An organiser looked and said they are two.';
COMMENT ON TABLE "proposal_twin" IS 'Two proposals whose title and abstract are much alike; found anew when either changes. The smaller id first.';
CREATE TABLE "review" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "abstains" BOOL NOT NULL,
    "reason" TEXT NOT NULL,
    "total" INT,
    "recommends" VARCHAR(32) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "phase_id" BIGINT REFERENCES "review_phase" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_review_proposa_94bfef" UNIQUE ("proposal_id", "account_id"),
    CONSTRAINT "ck_review_total" CHECK (total IS NULL OR (total >= 0 AND total <= 10000))
);
CREATE INDEX "idx_review_account" ON "review" ("account_id");
COMMENT ON COLUMN "review"."total" IS 'Ten-thousandths of what can be reached, by review_rules.total; NULL when nothing counts. Derived from the scores.';
COMMENT ON COLUMN "review"."recommends" IS 'What a producer or reviewer would decide: \"\", accepted, waitlisted, rejected';
COMMENT ON TABLE "review" IS 'What one reviewer says of one proposal.';
CREATE TABLE "review_assignment" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "origin" VARCHAR(32) NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_review_assi_proposa_b1a020" UNIQUE ("proposal_id", "account_id")
);
CREATE INDEX "idx_review_assignment_account" ON "review_assignment" ("account_id");
COMMENT ON COLUMN "review_assignment"."origin" IS 'review_rules.AssignedBy: hand, machine, import';
COMMENT ON TABLE "review_assignment" IS 'A proposal that somebody is asked to review.';
CREATE TABLE "review_score" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "value" INT NOT NULL,
    "criterion_id" BIGINT NOT NULL REFERENCES "review_criterion" ("id") ON DELETE RESTRICT,
    "review_id" BIGINT NOT NULL REFERENCES "review" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_review_scor_review__40e7f8" UNIQUE ("review_id", "criterion_id")
);
COMMENT ON TABLE "review_score" IS 'The points of one review for one criterion.';
CREATE TABLE "speaker" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(6) NOT NULL,
    "email" VARCHAR(254),
    "phone" VARCHAR(20) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "name" JSONB NOT NULL,
    "organisation" JSONB NOT NULL,
    "title" JSONB NOT NULL,
    "bio" JSONB NOT NULL,
    "picture_upload_id" BIGINT,
    "availability" JSONB,
    "wants_travel_support" BOOL,
    "travel_note" TEXT NOT NULL,
    "arrives_at" TIMESTAMPTZ,
    "leaves_at" TIMESTAMPTZ,
    "arrival_note" VARCHAR(500) NOT NULL,
    "wants_hotel" BOOL,
    "hotel_note" VARCHAR(500) NOT NULL,
    "wants_pick_up" BOOL,
    "pick_up_note" VARCHAR(500) NOT NULL,
    "host_name" VARCHAR(120) NOT NULL,
    "host_contact" VARCHAR(200) NOT NULL,
    "note" TEXT NOT NULL,
    "external_id" VARCHAR(100),
    "secret_round" INT NOT NULL,
    "search" VARCHAR(600) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "erased_at" TIMESTAMPTZ,
    "account_id" BIGINT REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT REFERENCES "registration" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_speaker_event_i_979149" UNIQUE ("event_id", "code"),
    CONSTRAINT "uid_speaker_event_i_0f3217" UNIQUE ("event_id", "account_id"),
    CONSTRAINT "uid_speaker_event_i_2fd078" UNIQUE ("event_id", "email"),
    CONSTRAINT "uid_speaker_event_i_fb1bc2" UNIQUE ("event_id", "external_id")
);
CREATE INDEX "idx_speaker_account" ON "speaker" ("account_id");
CREATE INDEX "idx_speaker_email" ON "speaker" ("email");
COMMENT ON COLUMN "speaker"."code" IS 'Six of 0-9A-Z, for addresses and exports.';
COMMENT ON COLUMN "speaker"."email" IS 'Folded; NULL while nobody knows it.';
COMMENT ON COLUMN "speaker"."bio" IS 'Markdown';
COMMENT ON COLUMN "speaker"."availability" IS '[[begin, end], ...] as ISO instants in UTC; NULL: not said, any time';
COMMENT ON COLUMN "speaker"."arrival_note" IS 'Flight or train, and whatever the driver needs to know.';
COMMENT ON COLUMN "speaker"."host_name" IS 'Who looks after this speaker on site.';
COMMENT ON COLUMN "speaker"."note" IS 'For organisers alone.';
COMMENT ON COLUMN "speaker"."external_id" IS 'The row''s name in another system: an import with it updates this speaker.';
COMMENT ON COLUMN "speaker"."search" IS 'Folded names and organisations.';
COMMENT ON TABLE "speaker" IS 'Somebody who speaks at an event, or would: what the programme says of them and what their visit needs.';
CREATE TABLE "call_answer" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "value" JSONB,
    "upload_id" BIGINT,
    "call_field_id" BIGINT NOT NULL REFERENCES "call_field" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "review_id" BIGINT REFERENCES "review" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_call_answer_proposa_a613eb" UNIQUE ("proposal_id", "call_field_id"),
    CONSTRAINT "uid_call_answer_speaker_c903ff" UNIQUE ("speaker_id", "call_field_id"),
    CONSTRAINT "uid_call_answer_review__f55048" UNIQUE ("review_id", "call_field_id"),
    CONSTRAINT "ck_call_answer_one" CHECK ((CASE WHEN proposal_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN speaker_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN review_id IS NULL THEN 0 ELSE 1 END) = 1)
);
CREATE INDEX "idx_call_answer_field" ON "call_answer" ("call_field_id");
COMMENT ON COLUMN "call_answer"."value" IS 'JSON: a text, a number, true or false, an ISO date, a list of option codes; null for a file';
COMMENT ON TABLE "call_answer" IS 'What was answered to one question, for one proposal, one speaker or one review.';
CREATE TABLE "conflict_of_interest" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "organisation" VARCHAR(200),
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_conflict_of_event_i_91f179" UNIQUE ("event_id", "account_id", "proposal_id"),
    CONSTRAINT "uid_conflict_of_event_i_d44608" UNIQUE ("event_id", "account_id", "speaker_id"),
    CONSTRAINT "uid_conflict_of_event_i_ca937e" UNIQUE ("event_id", "account_id", "organisation")
);
CREATE INDEX "idx_conflict_of_interest_account" ON "conflict_of_interest" ("account_id");
CREATE INDEX "idx_conflict_of_interest_proposal" ON "conflict_of_interest" ("proposal_id");
COMMENT ON COLUMN "conflict_of_interest"."organisation" IS 'Folded; NULL where a proposal or a speaker is meant.';
COMMENT ON TABLE "conflict_of_interest" IS 'What a reviewer declared, or an organiser for them: a proposal, a speaker or an organisation too near to judge.';
CREATE TABLE "proposal_speaker" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "role" VARCHAR(32) NOT NULL,
    "position" INT NOT NULL,
    "allows_slides" BOOL,
    "allows_photo" BOOL,
    "allows_video" BOOL,
    "allowed_at" TIMESTAMPTZ,
    "joined_at" TIMESTAMPTZ NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT NOT NULL REFERENCES "speaker" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_proposal_sp_proposa_457eb1" UNIQUE ("proposal_id", "speaker_id")
);
CREATE INDEX "idx_proposal_speaker_speaker" ON "proposal_speaker" ("speaker_id");
COMMENT ON COLUMN "proposal_speaker"."role" IS 'proposal_rules.SpeakerRole: speaker, moderator, guest';
COMMENT ON COLUMN "proposal_speaker"."allows_slides" IS 'NULL: not asked yet';
COMMENT ON TABLE "proposal_speaker" IS 'A speaker of a proposal, and what they allow to be published of it: three answers, each of them own words.';
CREATE TABLE "speaker_invitation" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "email" VARCHAR(254) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "state" VARCHAR(32) NOT NULL,
    "round" INT NOT NULL,
    "letters" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "ended_at" TIMESTAMPTZ,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_speaker_inv_proposa_5ad415" UNIQUE ("proposal_id", "email")
);
CREATE INDEX "idx_speaker_invitation_email" ON "speaker_invitation" ("email");
COMMENT ON COLUMN "speaker_invitation"."email" IS 'Folded; the account that joins must have this address, so that a forwarded link opens nothing.';
COMMENT ON COLUMN "speaker_invitation"."state" IS 'proposal_rules.JoinState: parked (until the proposal is handed in), open, joined, declined, retracted';
COMMENT ON COLUMN "speaker_invitation"."round" IS 'Counted up when somebody is asked again: the older link is dead.';
COMMENT ON TABLE "speaker_invitation" IS 'An address that is asked to speak along; the key in its link is derived from id and ``round`` and stands nowhere.';
CREATE TABLE "speaker_letter" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "letter_id" BIGINT NOT NULL UNIQUE,
    "code" VARCHAR(32) NOT NULL,
    "digest" VARCHAR(64) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "release_id" BIGINT REFERENCES "decision_release" ("id") ON DELETE RESTRICT,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_speaker_let_event_i_fdf68a" UNIQUE ("event_id", "digest")
);
CREATE INDEX "idx_speaker_letter_speaker" ON "speaker_letter" ("speaker_id");
CREATE INDEX "idx_speaker_letter_proposal" ON "speaker_letter" ("proposal_id");
COMMENT ON COLUMN "speaker_letter"."code" IS 'As in LetterTemplate, or \"message\" for one that was written by hand.';
COMMENT ON COLUMN "speaker_letter"."digest" IS 'Keyed hash of address, subject and text.';
COMMENT ON TABLE "speaker_letter" IS 'Whom a letter in the outbox concerns, by its id there; ``digest`` keeps the same words from going twice.';
CREATE TABLE "speaker_profile" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" JSONB NOT NULL,
    "organisation" JSONB NOT NULL,
    "title" JSONB NOT NULL,
    "bio" JSONB NOT NULL,
    "picture_upload_id" BIGINT,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "account_id" BIGINT NOT NULL UNIQUE REFERENCES "account" ("id") ON DELETE RESTRICT
);
COMMENT ON COLUMN "speaker_profile"."bio" IS 'Markdown';
COMMENT ON TABLE "speaker_profile" IS 'What an account says of itself as a speaker, kept from event to event; each event''s speaker begins as a copy.';
CREATE TABLE "tag" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "code" VARCHAR(40) NOT NULL,
    "name" JSONB NOT NULL,
    "colour" VARCHAR(7) NOT NULL,
    "is_public" BOOL NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_tag_event_i_b69adc" UNIQUE ("event_id", "code")
);
COMMENT ON TABLE "tag" IS 'A word that organisers put on proposals; a public one is shown in the programme.';
CREATE TABLE "proposal_tag" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "tag_id" BIGINT NOT NULL REFERENCES "tag" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_proposal_ta_proposa_de28fb" UNIQUE ("proposal_id", "tag_id")
);
COMMENT ON TABLE "proposal_tag" IS 'A tag on a proposal.';
