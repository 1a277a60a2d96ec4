-- A running session's row is written about once a second. As long as no index holds what changes (last_event_at did), and
-- its page has room, the new row takes the old one's place: no index is written, and nothing is left for a vacuum.
-- First what takes long and lets others read.
-- What to restore after a restart, beside what runs:
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
ALTER TABLE sessions SET (fillfactor = 70);
DROP INDEX sessions_last_event;
