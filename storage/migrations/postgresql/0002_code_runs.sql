-- A run of somebody's Python gives several results: `run_id` is the same for all. `run_code` is with the first
-- one of a run that ended well, so that the conversation's runs are read without their outputs.
ALTER TABLE results DROP CONSTRAINT results_kind_check;
ALTER TABLE results ADD CONSTRAINT results_kind_check
    CHECK (kind IN ('value', 'table', 'figure', 'model', 'image', 'text', 'file'));
ALTER TABLE results ADD COLUMN run_id TEXT;
ALTER TABLE results ADD COLUMN run_code TEXT;
CREATE INDEX results_by_run ON results (session_key, position) WHERE run_id IS NOT NULL;
