CREATE TABLE adk_sessions (
    key INTEGER PRIMARY KEY,
    app_name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    title TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'paused', 'completed', 'expired')),
    mode TEXT NOT NULL DEFAULT 'direct' CHECK (mode IN ('direct', 'code')),
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    expires_at REAL,
    turn_count INTEGER NOT NULL DEFAULT 0 CHECK (turn_count >= 0),
    total_tokens INTEGER NOT NULL DEFAULT 0 CHECK (total_tokens >= 0),
    metadata TEXT NOT NULL DEFAULT '{}',
    parent_session_id TEXT,
    forked_at_event TEXT,
    UNIQUE (app_name, user_id, id)
);
CREATE INDEX adk_sessions_by_update ON adk_sessions (app_name, user_id, updated_at, key);

CREATE TABLE adk_events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    session_key INTEGER NOT NULL REFERENCES adk_sessions (key) ON DELETE CASCADE,
    id TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    author TEXT NOT NULL,
    timestamp REAL NOT NULL,
    event_data TEXT NOT NULL,
    UNIQUE (session_key, id)
);
CREATE INDEX adk_events_by_session ON adk_events (session_key, sequence);

CREATE TABLE adk_state (
    scope TEXT NOT NULL CHECK (scope IN ('SESSION', 'USER', 'APP')),
    app_name TEXT NOT NULL,
    user_id TEXT NOT NULL DEFAULT '',
    session_key INTEGER REFERENCES adk_sessions (key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CHECK ((scope = 'SESSION') = (session_key IS NOT NULL))
);
CREATE UNIQUE INDEX adk_state_of_session ON adk_state (session_key, name)
    WHERE session_key IS NOT NULL;
CREATE UNIQUE INDEX adk_state_shared ON adk_state (app_name, user_id, name)
    WHERE session_key IS NULL;

CREATE TABLE turns (
    id TEXT PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES adk_sessions (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    invocation_id TEXT,
    question TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('running', 'completed', 'stopped', 'failed', 'interrupted')),
    mode TEXT NOT NULL,
    model TEXT NOT NULL,
    parts TEXT NOT NULL DEFAULT '[]',
    error TEXT,
    tokens INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '',
    started_at REAL NOT NULL,
    finished_at REAL,
    UNIQUE (session_key, position)
);
CREATE INDEX turns_running ON turns (status) WHERE status = 'running';

CREATE TABLE results (
    id TEXT PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES adk_sessions (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    invocation_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('value', 'table', 'figure', 'model')),
    created_at REAL NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (session_key, position)
);
CREATE INDEX results_by_invocation ON results (session_key, invocation_id);

CREATE TABLE datasets (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    options_key TEXT NOT NULL,
    created_at REAL NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (user_id, name, version)
);
CREATE INDEX datasets_by_content ON datasets (sha256, options_key);

CREATE TABLE session_datasets (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    session_key INTEGER NOT NULL REFERENCES adk_sessions (key) ON DELETE CASCADE,
    dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    UNIQUE (session_key, dataset_id)
);

CREATE TABLE session_states (
    id TEXT PRIMARY KEY,
    session_id TEXT,
    user_id TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    thread_id TEXT NOT NULL UNIQUE,
    run_id TEXT,
    user_prompt TEXT NOT NULL,
    topic TEXT,
    difficulty TEXT CHECK (difficulty IN ('easy', 'medium', 'hard')),
    problem_description TEXT,
    problem_tests TEXT,
    code TEXT,
    tests_passed INTEGER CHECK (tests_passed IN (0, 1)),
    code_attempts INTEGER NOT NULL DEFAULT 0,
    problem_attempts INTEGER NOT NULL DEFAULT 0,
    workflow_status TEXT NOT NULL DEFAULT 'running'
        CHECK (workflow_status IN ('running', 'completed', 'failed'))
);
CREATE INDEX session_states_run_id ON session_states (run_id);
CREATE INDEX session_states_created_at ON session_states (created_at);
CREATE INDEX session_states_topic ON session_states (topic);
CREATE INDEX session_states_difficulty ON session_states (difficulty);
CREATE INDEX session_states_workflow_status ON session_states (workflow_status);
CREATE TRIGGER session_states_updated AFTER UPDATE ON session_states
WHEN NEW.updated_at = OLD.updated_at
BEGIN
    UPDATE session_states SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    WHERE id = NEW.id;
END;
CREATE VIEW session_states_summary AS
SELECT id, thread_id, run_id, topic, difficulty, workflow_status, tests_passed,
       code_attempts, problem_attempts, created_at, updated_at
FROM session_states;
