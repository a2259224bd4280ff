-- A run of somebody's Python gives several results: `run_id` is the same for all. `run_code` is with the first
-- one of a run that ended well, so that the conversation's runs are read without their outputs.
CREATE TABLE new_results (
    id TEXT PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES adk_sessions (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    invocation_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('value', 'table', 'figure', 'model', 'image', 'text', 'file')),
    created_at REAL NOT NULL,
    record TEXT NOT NULL,
    run_id TEXT,
    run_code TEXT,
    UNIQUE (session_key, position)
);
INSERT INTO new_results (id, session_key, position, invocation_id, kind, created_at, record)
SELECT id, session_key, position, invocation_id, kind, created_at, record FROM results;
DROP TABLE results;
ALTER TABLE new_results RENAME TO results;
CREATE INDEX results_by_invocation ON results (session_key, invocation_id);
CREATE INDEX results_by_run ON results (session_key, position) WHERE run_id IS NOT NULL;
