-- One row a session: what it is, and how it stands. The stream of events lives in the broker; here is what
-- outlives it. Rows are upserted about once a second while a session runs, by whichever node published last.
CREATE TABLE sessions (
    id            text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    kind          text,
    region        text,
    -- Whoever the session is for, as the publisher named them. Quoted because "user" is a word of SQL.
    "user"        text,
    cohort        text NOT NULL CHECK (cohort IN ('stream', 'poll')),
    state         text NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'abandoned')),
    started_at    timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    ended_at      timestamptz,
    -- Events published so far, as its epoch counted them.
    events        bigint NOT NULL DEFAULT 0,
    -- The latest status event, so that a node without Redis can take the session up again after a restart.
    last_event    jsonb
);

-- "What runs now, newest first" is asked every second while somebody looks; running rows are few.
CREATE INDEX sessions_running ON sessions (started_at DESC) WHERE state = 'running';
-- Finding the abandoned, and what to restore after a restart.
CREATE INDEX sessions_last_event ON sessions (last_event_at);
