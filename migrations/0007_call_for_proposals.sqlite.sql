-- The call for proposals, its proposals and speakers, their reviews, and who was told what: the whole of issue 5 in one step.
CREATE TABLE "call_for_proposals" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "is_published" INT NOT NULL /* Without it nobody outside sees that there will be a call. */,
    "intro" JSON NOT NULL /* Markdown */,
    "opens_at" TIMESTAMP,
    "closes_at" TIMESTAMP,
    "review_by" TIMESTAMP,
    "notify_by" TIMESTAMP,
    "confirm_by" TIMESTAMP /* Until when somebody who was accepted confirms. */,
    "slides_due_at" TIMESTAMP,
    "languages" JSON NOT NULL /* BCP 47 tags that talks may be given in. */,
    "speakers_at_most" INT NOT NULL,
    "proposals_at_most" INT NOT NULL /* What one account may hand in. */,
    "asks_travel" INT NOT NULL,
    "asks_availability" INT NOT NULL,
    "reviews_needed" INT NOT NULL /* Reviews that every proposal gets at least. */,
    "total_by" VARCHAR(32) NOT NULL /* review_rules.Total: mean, median */,
    "follow_up_days" INT NOT NULL /* Days until an invited speaker who has not answered is asked again. */,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "speaker_ticket_type_id" BIGINT REFERENCES "ticket_type" ("id") ON DELETE RESTRICT /* What a confirmed speaker is registered as; NULL: the first ticket type for speakers. */,
    "event_id" BIGINT NOT NULL UNIQUE REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_call_window" CHECK (opens_at IS NULL OR closes_at IS NULL OR closes_at > opens_at)
) /* An event's call for proposals: one an event; its dates, its words, and how its reviews are counted. */;
CREATE TABLE "call_code" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL /* Folded: upper case, no spaces. */,
    "note" VARCHAR(200) NOT NULL,
    "max_uses" INT,
    "used" INT NOT NULL,
    "valid_until" TIMESTAMP,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_call_code_event_i_9c05bc" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_call_code_used" CHECK (used >= 0 AND (max_uses IS NULL OR used <= max_uses))
) /* A word that opens the call after its closing, or types and forums that need one; ``used`` is guarded by the database. */;
CREATE TABLE "call_field" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "subject" VARCHAR(32) NOT NULL /* proposal_rules.Subject: proposal, speaker, review; never changed */,
    "kind" VARCHAR(32) NOT NULL /* events.rules.FieldKind */,
    "label" JSON NOT NULL,
    "help" JSON NOT NULL,
    "options" JSON NOT NULL /* [{"code", "label": {locale: text}}] for the two kinds that choose */,
    "need" VARCHAR(32) NOT NULL /* proposal_rules.Need: optional, required, required_after */,
    "required_after" TIMESTAMP,
    "is_public" INT NOT NULL,
    "is_personal" INT NOT NULL,
    "for_reviewers" INT NOT NULL,
    "is_active" INT NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_call_field_event_i_d75d03" UNIQUE ("event_id", "code")
) /* A question of the organisers' own about each proposal, each speaker or each review. */;
CREATE TABLE "community" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "url" VARCHAR(500) NOT NULL,
    "logo_upload_id" BIGINT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* 出品方: a community that brings a forum out. */;
CREATE INDEX "idx_community_event" ON "community" ("event_id");
CREATE TABLE "decision_release" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "released_at" TIMESTAMP NOT NULL,
    "count" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* One press on "tell everybody": all pending decisions that it made true. */;
CREATE INDEX "idx_decision_release_event" ON "decision_release" ("event_id");
CREATE TABLE "forum" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "description" JSON NOT NULL,
    "colour" VARCHAR(7) NOT NULL,
    "needs_code" INT NOT NULL,
    "is_active" INT NOT NULL /* Offered on the form; others have invited talks only. */,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_forum_event_i_c7d964" UNIQUE ("event_id", "code")
) /* 分论坛: a themed block with producers and producing communities; a producer's role is narrowed to its id. */;
CREATE TABLE "forum_community" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "position" INT NOT NULL,
    "community_id" BIGINT NOT NULL REFERENCES "community" ("id") ON DELETE CASCADE,
    "forum_id" BIGINT NOT NULL REFERENCES "forum" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_forum_commu_forum_i_613782" UNIQUE ("forum_id", "community_id")
) /* A producing community of a forum. */;
CREATE TABLE "forum_helper" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "email" VARCHAR(254) NOT NULL /* Folded. */,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "forum_id" BIGINT NOT NULL REFERENCES "forum" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_forum_helpe_forum_i_a80619" UNIQUE ("forum_id", "email")
) /* Somebody whom a producer lets enter and edit talks of a forum: whoever signs in with this address. */;
CREATE INDEX "idx_forum_helper_email" ON "forum_helper" ("email");
CREATE TABLE "kept_form" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "browser_digest" VARCHAR(64) NOT NULL /* Digest of a cookie of the browser that typed it. */,
    "typed" JSON NOT NULL /* Field names to the texts that were typed. */,
    "created_at" TIMESTAMP NOT NULL,
    "keep_until" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* What somebody typed without being signed in: waits some hours for them to come back from the sign-in. */;
CREATE INDEX "idx_kept_form_until" ON "kept_form" ("keep_until");
CREATE TABLE "letter_template" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(32) NOT NULL /* accepted, rejected, waitlisted, invited, confirmed, received, join, nudge, draft_reminder */,
    "subject" JSON NOT NULL,
    "text" JSON NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_letter_temp_event_i_c6db22" UNIQUE ("event_id", "code")
) /* The event's own words for an occasion; without a row the house's words are used. */;
CREATE TABLE "producer" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "organisation" JSON NOT NULL,
    "title" JSON NOT NULL,
    "email" VARCHAR(254) NOT NULL /* Folded; for organisers alone. */,
    "picture_upload_id" BIGINT,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT
) /* 出品人: a person who answers for forums, as the programme names them; may do so with a role or without an account. */;
CREATE INDEX "idx_producer_event" ON "producer" ("event_id");
CREATE TABLE "forum_producer" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "position" INT NOT NULL,
    "forum_id" BIGINT NOT NULL REFERENCES "forum" ("id") ON DELETE CASCADE,
    "producer_id" BIGINT NOT NULL REFERENCES "producer" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_forum_produ_forum_i_8dd359" UNIQUE ("forum_id", "producer_id")
) /* A producer of a forum; a forum has several, and a producer may have several forums. */;
CREATE TABLE "review_criterion" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "help" JSON NOT NULL,
    "weight" INT NOT NULL,
    "low" INT NOT NULL,
    "high" INT NOT NULL,
    "labels" JSON NOT NULL /* {"1": {locale: text}, ...}: words for some of the values */,
    "is_required" INT NOT NULL,
    "is_active" INT NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_review_crit_event_i_9eadc5" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_review_criterion_weight" CHECK (weight >= 0 AND weight <= 100),
    CONSTRAINT "ck_review_criterion_range" CHECK (high > low)
) /* What reviewers give points for; a weight of 0 is shown and not counted. */;
CREATE TABLE "review_phase" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "position" INT NOT NULL,
    "starts_at" TIMESTAMP,
    "ends_at" TIMESTAMP,
    "active_for" BIGINT UNIQUE /* The event's id while active, NULL otherwise. */,
    "may_review" INT NOT NULL,
    "reach" VARCHAR(32) NOT NULL /* review_rules.Reach: assigned, all */,
    "names_shown" INT NOT NULL,
    "reviewers_shown" INT NOT NULL,
    "others" VARCHAR(32) NOT NULL /* review_rules.Others: never, after_own, always */,
    "may_decide" INT NOT NULL,
    "may_tag" INT NOT NULL,
    "speakers_may_edit" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_review_phase_window" CHECK (starts_at IS NULL OR ends_at IS NULL OR ends_at > starts_at),
    CONSTRAINT "ck_review_phase_active" CHECK (active_for IS NULL OR active_for = event_id)
) /* A stage of the review with its own rules; of an event at most one is active, kept so by ``active_for``. */;
CREATE TABLE "reviewer" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "organisation" VARCHAR(200) NOT NULL,
    "takes_at_most" INT,
    "never_sees_names" INT NOT NULL /* Names stay hidden from this one whatever the phase says. */,
    "is_resting" INT NOT NULL /* Left out by the automatic assignment. */,
    "updated_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_reviewer_event_i_f1cd78" UNIQUE ("event_id", "account_id")
) /* What is known of a reviewer or producer beside the role: where they work, and how much they take on. */;
CREATE INDEX "idx_reviewer_account" ON "reviewer" ("account_id");
CREATE TABLE "session_type" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "description" JSON NOT NULL,
    "kind" VARCHAR(32) NOT NULL /* rules.SessionKind of the session that it becomes */,
    "minutes" INT NOT NULL,
    "closes_at" TIMESTAMP /* In place of the call's, earlier or later. */,
    "needs_code" INT NOT NULL,
    "is_active" INT NOT NULL /* Offered on the form; others are for invited talks. */,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_session_typ_event_i_8b7265" UNIQUE ("event_id", "code"),
    CONSTRAINT "ck_session_type_minutes" CHECK (minutes > 0 AND minutes <= 1440)
) /* What a proposal may become: keynote, talk, panel, workshop, with its usual length and perhaps its own closing. */;
CREATE TABLE "call_code_opens" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "call_code_id" BIGINT NOT NULL REFERENCES "call_code" ("id") ON DELETE CASCADE,
    "forum_id" BIGINT REFERENCES "forum" ("id") ON DELETE CASCADE,
    "session_type_id" BIGINT REFERENCES "session_type" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_call_code_o_call_co_f1f32f" UNIQUE ("call_code_id", "session_type_id"),
    CONSTRAINT "uid_call_code_o_call_co_056cf6" UNIQUE ("call_code_id", "forum_id"),
    CONSTRAINT "ck_call_code_opens_one" CHECK ((session_type_id IS NULL) <> (forum_id IS NULL))
) /* A session type or a forum that a code opens; a code without any opens the call as it stands, nothing restricted. */;
CREATE TABLE "call_field_scope" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "call_field_id" BIGINT NOT NULL REFERENCES "call_field" ("id") ON DELETE CASCADE,
    "forum_id" BIGINT REFERENCES "forum" ("id") ON DELETE CASCADE,
    "session_type_id" BIGINT REFERENCES "session_type" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_call_field__call_fi_7bfa67" UNIQUE ("call_field_id", "session_type_id"),
    CONSTRAINT "uid_call_field__call_fi_88414e" UNIQUE ("call_field_id", "forum_id"),
    CONSTRAINT "ck_call_field_scope_one" CHECK ((session_type_id IS NULL) <> (forum_id IS NULL))
) /* A session type or a forum whose proposals are asked a question; a question without any is asked of all. */;
CREATE TABLE "proposal" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "guid" CHAR(36) NOT NULL UNIQUE,
    "code" VARCHAR(6) NOT NULL /* Six of 0-9A-Z, as the schedule formats want it. */,
    "state" VARCHAR(32) NOT NULL /* proposal_rules.ProposalState; changed by ``agenda.proposals`` alone */,
    "pending_state" VARCHAR(32) NOT NULL /* A decision that nobody has been told yet: "", accepted, waitlisted, rejected */,
    "pending_at" TIMESTAMP,
    "pending_by" VARCHAR(40) NOT NULL,
    "origin" VARCHAR(32) NOT NULL /* proposal_rules.Origin: call, invited, import, organiser */,
    "minutes" INT,
    "language" VARCHAR(16) NOT NULL /* What it is spoken in, BCP 47. */,
    "level" VARCHAR(32) NOT NULL,
    "title" JSON NOT NULL,
    "abstract" JSON NOT NULL,
    "description" JSON NOT NULL /* Markdown */,
    "audience" TEXT NOT NULL,
    "takeaways" TEXT NOT NULL,
    "previous_talks" TEXT NOT NULL,
    "equipment" TEXT NOT NULL,
    "notes" TEXT NOT NULL /* For organisers alone. */,
    "form_id" CHAR(36) UNIQUE /* The form's UUID: pressed twice it is one proposal. */,
    "version" INT NOT NULL /* Counted up by every change of its texts: a second window that saves an older one is told so. */,
    "follow_up_at" TIMESTAMP /* Invited talks: when to ask again. */,
    "external_id" VARCHAR(100),
    "search" TEXT NOT NULL /* Folded titles and abstracts, for finding and for near-duplicates. */,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "submitted_at" TIMESTAMP,
    "decided_at" TIMESTAMP,
    "confirmed_at" TIMESTAMP,
    "account_id" BIGINT REFERENCES "account" ("id") ON DELETE RESTRICT /* Who hands it in; NULL for what was entered on somebody's behalf. */,
    "call_code_id" BIGINT REFERENCES "call_code" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "forum_id" BIGINT REFERENCES "forum" ("id") ON DELETE RESTRICT,
    "release_id" BIGINT REFERENCES "decision_release" ("id") ON DELETE RESTRICT,
    "session_id" BIGINT REFERENCES "session" ("id") ON DELETE RESTRICT /* The programme item, once it has a time. */,
    "session_type_id" BIGINT REFERENCES "session_type" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_proposal_event_i_3eed88" UNIQUE ("event_id", "code"),
    CONSTRAINT "uid_proposal_event_i_b088cc" UNIQUE ("event_id", "external_id")
) /* 议题投稿: what somebody wants to say at an event. Its guid is the session's that it becomes. */;
CREATE INDEX "idx_proposal_event_state" ON "proposal" ("event_id", "state");
CREATE INDEX "idx_proposal_account" ON "proposal" ("account_id");
CREATE INDEX "idx_proposal_follow_up" ON "proposal" ("follow_up_at");
CREATE TABLE "proposal_change" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "at" TIMESTAMP NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "verb" VARCHAR(32) NOT NULL /* proposal_rules.Verb, or "edit", "pend", "speakers", "resource", "tag", "answer" */,
    "field" VARCHAR(60) NOT NULL,
    "old" JSON,
    "new" JSON,
    "reason" TEXT NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE
) /* One line of a proposal's history: who changed what when, from what to what. Never edited, but erased with people. */;
CREATE INDEX "idx_proposal_change_proposal" ON "proposal_change" ("proposal_id", "id");
CREATE TABLE "proposal_comment" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "text" TEXT NOT NULL,
    "at" TIMESTAMP NOT NULL,
    "removed_at" TIMESTAMP,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE
) /* A word among organisers and reviewers; never seen by the proposal's own speakers. */;
CREATE INDEX "idx_proposal_comment_proposal" ON "proposal_comment" ("proposal_id", "id");
CREATE INDEX "idx_proposal_comment_account" ON "proposal_comment" ("account_id");
CREATE TABLE "proposal_redaction" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "title" JSON NOT NULL,
    "abstract" JSON NOT NULL,
    "description" JSON NOT NULL,
    "version" INT NOT NULL /* The proposal's version that was redacted: a later one wants another look. */,
    "actor_key" VARCHAR(40) NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "proposal_id" BIGINT NOT NULL UNIQUE REFERENCES "proposal" ("id") ON DELETE CASCADE
) /* A copy of a proposal's words without names, which reviewers read while names are hidden. */;
CREATE TABLE "proposal_resource" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "purpose" VARCHAR(32) NOT NULL /* proposal_rules.Purpose: resource, slides, slides_backup */,
    "title" VARCHAR(200) NOT NULL,
    "url" VARCHAR(1000) NOT NULL /* Either an address or a file. */,
    "upload_id" BIGINT UNIQUE,
    "is_public" INT NOT NULL,
    "position" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_proposal_resource_one" CHECK ((url = '') <> (upload_id IS NULL))
) /* A file or a link that belongs to a proposal: something to read, its slides, their backup. */;
CREATE INDEX "idx_proposal_resource_proposal" ON "proposal_resource" ("proposal_id");
CREATE TABLE "proposal_twin" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "likeness" INT NOT NULL /* Hundredths. */,
    "is_dismissed" INT NOT NULL /* An organiser looked and said they are two. */,
    "other_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_proposal_tw_proposa_70ec90" UNIQUE ("proposal_id", "other_id")
) /* Two proposals whose title and abstract are much alike; found anew when either changes. The smaller id first. */;
CREATE INDEX "idx_proposal_twin_other" ON "proposal_twin" ("other_id");
CREATE TABLE "review" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "abstains" INT NOT NULL,
    "reason" TEXT NOT NULL,
    "total" INT /* Ten-thousandths of what can be reached, by review_rules.total; NULL when nothing counts. Derived from the scores. */,
    "recommends" VARCHAR(32) NOT NULL /* What a producer or reviewer would decide: "", accepted, waitlisted, rejected */,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "phase_id" BIGINT REFERENCES "review_phase" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_review_proposa_94bfef" UNIQUE ("proposal_id", "account_id"),
    CONSTRAINT "ck_review_total" CHECK (total IS NULL OR (total >= 0 AND total <= 10000))
) /* What one reviewer says of one proposal. */;
CREATE INDEX "idx_review_account" ON "review" ("account_id");
CREATE TABLE "review_assignment" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "origin" VARCHAR(32) NOT NULL /* review_rules.AssignedBy: hand, machine, import */,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_review_assi_proposa_b1a020" UNIQUE ("proposal_id", "account_id")
) /* A proposal that somebody is asked to review. */;
CREATE INDEX "idx_review_assignment_account" ON "review_assignment" ("account_id");
CREATE TABLE "review_score" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "value" INT NOT NULL,
    "criterion_id" BIGINT NOT NULL REFERENCES "review_criterion" ("id") ON DELETE RESTRICT,
    "review_id" BIGINT NOT NULL REFERENCES "review" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_review_scor_review__40e7f8" UNIQUE ("review_id", "criterion_id")
) /* The points of one review for one criterion. */;
CREATE TABLE "speaker" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(6) NOT NULL /* Six of 0-9A-Z, for addresses and exports. */,
    "email" VARCHAR(254) /* Folded; NULL while nobody knows it. */,
    "phone" VARCHAR(20) NOT NULL,
    "locale" VARCHAR(16) NOT NULL,
    "name" JSON NOT NULL,
    "organisation" JSON NOT NULL,
    "title" JSON NOT NULL,
    "bio" JSON NOT NULL /* Markdown */,
    "picture_upload_id" BIGINT,
    "availability" JSON /* [[begin, end], ...] as ISO instants in UTC; NULL: not said, any time */,
    "wants_travel_support" INT,
    "travel_note" TEXT NOT NULL,
    "arrives_at" TIMESTAMP,
    "leaves_at" TIMESTAMP,
    "arrival_note" VARCHAR(500) NOT NULL /* Flight or train, and whatever the driver needs to know. */,
    "wants_hotel" INT,
    "hotel_note" VARCHAR(500) NOT NULL,
    "wants_pick_up" INT,
    "pick_up_note" VARCHAR(500) NOT NULL,
    "host_name" VARCHAR(120) NOT NULL /* Who looks after this speaker on site. */,
    "host_contact" VARCHAR(200) NOT NULL,
    "note" TEXT NOT NULL /* For organisers alone. */,
    "external_id" VARCHAR(100) /* The row's name in another system: an import with it updates this speaker. */,
    "secret_round" INT NOT NULL,
    "search" VARCHAR(600) NOT NULL /* Folded names and organisations. */,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "erased_at" TIMESTAMP,
    "account_id" BIGINT REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "registration_id" BIGINT REFERENCES "registration" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_speaker_event_i_979149" UNIQUE ("event_id", "code"),
    CONSTRAINT "uid_speaker_event_i_0f3217" UNIQUE ("event_id", "account_id"),
    CONSTRAINT "uid_speaker_event_i_2fd078" UNIQUE ("event_id", "email"),
    CONSTRAINT "uid_speaker_event_i_fb1bc2" UNIQUE ("event_id", "external_id")
) /* Somebody who speaks at an event, or would: what the programme says of them and what their visit needs. */;
CREATE INDEX "idx_speaker_account" ON "speaker" ("account_id");
CREATE INDEX "idx_speaker_email" ON "speaker" ("email");
CREATE TABLE "call_answer" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "value" JSON /* JSON: a text, a number, true or false, an ISO date, a list of option codes; null for a file */,
    "upload_id" BIGINT,
    "call_field_id" BIGINT NOT NULL REFERENCES "call_field" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "review_id" BIGINT REFERENCES "review" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_call_answer_proposa_a613eb" UNIQUE ("proposal_id", "call_field_id"),
    CONSTRAINT "uid_call_answer_speaker_c903ff" UNIQUE ("speaker_id", "call_field_id"),
    CONSTRAINT "uid_call_answer_review__f55048" UNIQUE ("review_id", "call_field_id"),
    CONSTRAINT "ck_call_answer_one" CHECK ((CASE WHEN proposal_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN speaker_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN review_id IS NULL THEN 0 ELSE 1 END) = 1)
) /* What was answered to one question, for one proposal, one speaker or one review. */;
CREATE INDEX "idx_call_answer_field" ON "call_answer" ("call_field_id");
CREATE TABLE "conflict_of_interest" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "organisation" VARCHAR(200) /* Folded; NULL where a proposal or a speaker is meant. */,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL REFERENCES "account" ("id") ON DELETE RESTRICT,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_conflict_of_event_i_91f179" UNIQUE ("event_id", "account_id", "proposal_id"),
    CONSTRAINT "uid_conflict_of_event_i_d44608" UNIQUE ("event_id", "account_id", "speaker_id"),
    CONSTRAINT "uid_conflict_of_event_i_ca937e" UNIQUE ("event_id", "account_id", "organisation")
) /* What a reviewer declared, or an organiser for them: a proposal, a speaker or an organisation too near to judge. */;
CREATE INDEX "idx_conflict_of_interest_account" ON "conflict_of_interest" ("account_id");
CREATE INDEX "idx_conflict_of_interest_proposal" ON "conflict_of_interest" ("proposal_id");
CREATE TABLE "proposal_speaker" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "role" VARCHAR(32) NOT NULL /* proposal_rules.SpeakerRole: speaker, moderator, guest */,
    "position" INT NOT NULL,
    "allows_slides" INT /* NULL: not asked yet */,
    "allows_photo" INT,
    "allows_video" INT,
    "allowed_at" TIMESTAMP,
    "joined_at" TIMESTAMP NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT NOT NULL REFERENCES "speaker" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_proposal_sp_proposa_457eb1" UNIQUE ("proposal_id", "speaker_id")
) /* A speaker of a proposal, and what they allow to be published of it: three answers, each of them own words. */;
CREATE INDEX "idx_proposal_speaker_speaker" ON "proposal_speaker" ("speaker_id");
CREATE TABLE "speaker_invitation" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "email" VARCHAR(254) NOT NULL /* Folded; the account that joins must have this address, so that a forwarded link opens nothing. */,
    "locale" VARCHAR(16) NOT NULL,
    "state" VARCHAR(32) NOT NULL /* proposal_rules.JoinState: parked (until the proposal is handed in), open, joined, declined, retracted */,
    "round" INT NOT NULL /* Counted up when somebody is asked again: the older link is dead. */,
    "letters" INT NOT NULL,
    "actor_key" VARCHAR(40) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "ended_at" TIMESTAMP,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_speaker_inv_proposa_5ad415" UNIQUE ("proposal_id", "email")
) /* An address that is asked to speak along; the key in its link is derived from id and ``round`` and stands nowhere. */;
CREATE INDEX "idx_speaker_invitation_email" ON "speaker_invitation" ("email");
CREATE TABLE "speaker_letter" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "letter_id" BIGINT NOT NULL UNIQUE,
    "code" VARCHAR(32) NOT NULL /* As in LetterTemplate, or "message" for one that was written by hand. */,
    "digest" VARCHAR(64) NOT NULL /* Keyed hash of address, subject and text. */,
    "created_at" TIMESTAMP NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    "proposal_id" BIGINT REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "release_id" BIGINT REFERENCES "decision_release" ("id") ON DELETE RESTRICT,
    "speaker_id" BIGINT REFERENCES "speaker" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_speaker_let_event_i_fdf68a" UNIQUE ("event_id", "digest")
) /* Whom a letter in the outbox concerns, by its id there; ``digest`` keeps the same words from going twice. */;
CREATE INDEX "idx_speaker_letter_speaker" ON "speaker_letter" ("speaker_id");
CREATE INDEX "idx_speaker_letter_proposal" ON "speaker_letter" ("proposal_id");
CREATE TABLE "speaker_profile" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" JSON NOT NULL,
    "organisation" JSON NOT NULL,
    "title" JSON NOT NULL,
    "bio" JSON NOT NULL /* Markdown */,
    "picture_upload_id" BIGINT,
    "updated_at" TIMESTAMP NOT NULL,
    "account_id" BIGINT NOT NULL UNIQUE REFERENCES "account" ("id") ON DELETE RESTRICT
) /* What an account says of itself as a speaker, kept from event to event; each event's speaker begins as a copy. */;
CREATE TABLE "tag" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "code" VARCHAR(40) NOT NULL,
    "name" JSON NOT NULL,
    "colour" VARCHAR(7) NOT NULL,
    "is_public" INT NOT NULL,
    "position" INT NOT NULL,
    "event_id" BIGINT NOT NULL REFERENCES "event" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_tag_event_i_b69adc" UNIQUE ("event_id", "code")
) /* A word that organisers put on proposals; a public one is shown in the programme. */;
CREATE TABLE "proposal_tag" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "proposal_id" BIGINT NOT NULL REFERENCES "proposal" ("id") ON DELETE CASCADE,
    "tag_id" BIGINT NOT NULL REFERENCES "tag" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_proposal_ta_proposa_de28fb" UNIQUE ("proposal_id", "tag_id")
) /* A tag on a proposal. */;
