-- Idle seconds after which a session expires; every change of the session begins them anew.
ALTER TABLE adk_sessions ADD COLUMN expires_after REAL;

-- A session's events lie side by side in append order: the session's key times 2^32, plus the session's
-- revision with this event. `marks` is what a window over the newest events must know: 1 question,
-- 2 compaction, 4 long-running call, 8 answer by a person, 16 rewind.
CREATE TABLE new_events (
    sequence INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES adk_sessions (key) ON DELETE CASCADE,
    id TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    timestamp REAL NOT NULL,
    event_data TEXT NOT NULL,
    marks INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session_key, id)
);
INSERT INTO new_events
SELECT (session_key << 32) + row_number() OVER (PARTITION BY session_key ORDER BY sequence),
    session_key, id, invocation_id, timestamp, event_data,
    CASE WHEN NOT json_valid(event_data) THEN 0
        WHEN json_type(event_data, '$.actions.rewind_before_invocation_id') = 'text' THEN 16
        WHEN json_type(event_data, '$.actions.compaction') = 'object' THEN 2
        WHEN json_array_length(event_data, '$.long_running_tool_ids') > 0 THEN 4
        WHEN author = 'user' AND event_data LIKE '%"function_response"%' THEN 8
        WHEN author = 'user' AND json_array_length(event_data, '$.content.parts') > 0 THEN 1
        ELSE 0 END
FROM adk_events;
DROP TABLE adk_events;
ALTER TABLE new_events RENAME TO adk_events;
CREATE INDEX adk_events_marked ON adk_events (sequence) WHERE marks > 1;

-- The server that runs a turn renews its lease; without one, the turn is interrupted.
UPDATE turns SET status = 'interrupted' WHERE status = 'running' AND position <
    (SELECT max(o.position) FROM turns o WHERE o.session_key = turns.session_key);
ALTER TABLE turns ADD COLUMN lease_until REAL NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN stop_requested INTEGER NOT NULL DEFAULT 0;
DROP INDEX turns_running;
CREATE UNIQUE INDEX turns_one_running ON turns (session_key) WHERE status = 'running';

-- Words of messages (row id: the event's sequence) and of titles (row id: minus the session's key). Events are
-- indexed when somebody searches, so that storing one costs nothing more; `words_revision` says how far.
ALTER TABLE adk_sessions ADD COLUMN words_revision INTEGER NOT NULL DEFAULT 0;
CREATE VIEW event_texts AS
SELECT e.sequence, (
    SELECT group_concat(json_extract(p.value, '$.text'), char(10))
    FROM json_each(e.event_data, '$.content.parts') p
    WHERE json_extract(p.value, '$.text') IS NOT NULL AND json_extract(p.value, '$.thought') IS NOT 1
) AS words
FROM adk_events e WHERE json_valid(e.event_data);
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', columnsize = 0,
    tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO words (rowid, text) SELECT -key, title FROM adk_sessions WHERE title <> '';
CREATE TRIGGER words_of_new_session AFTER INSERT ON adk_sessions WHEN NEW.title <> ''
BEGIN
    INSERT INTO words (rowid, text) VALUES (-NEW.key, NEW.title);
END;
CREATE TRIGGER words_of_title AFTER UPDATE OF title ON adk_sessions WHEN NEW.title <> OLD.title
BEGIN
    INSERT INTO words (words, rowid, text) SELECT 'delete', -OLD.key, OLD.title WHERE OLD.title <> '';
    INSERT INTO words (rowid, text) SELECT -NEW.key, NEW.title WHERE NEW.title <> '';
END;
CREATE TRIGGER words_of_deleted_session BEFORE DELETE ON adk_sessions
BEGIN
    INSERT INTO words (words, rowid, text) SELECT 'delete', -OLD.key, OLD.title WHERE OLD.title <> '';
    INSERT INTO words (words, rowid, text) SELECT 'delete', sequence, words FROM event_texts
    WHERE sequence > OLD.key << 32 AND sequence <= (OLD.key << 32) + OLD.words_revision
        AND words IS NOT NULL;
END;

-- The records of a conversation's verified answers go with it.
CREATE TRIGGER runs_of_deleted_session AFTER DELETE ON adk_sessions
BEGIN
    DELETE FROM session_states WHERE session_id = OLD.id AND user_id = OLD.user_id;
END;
