-- When an organiser last chose the phase of the review by hand, so that dates that came before don't undo it.
ALTER TABLE "call_for_proposals" ADD COLUMN "phase_set_at" TIMESTAMPTZ;
COMMENT ON COLUMN "call_for_proposals"."phase_set_at" IS 'When somebody last chose the active phase of the review by hand.';
