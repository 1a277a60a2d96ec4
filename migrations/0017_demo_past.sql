-- How far the demo's made-up past is written: one row, and none where there is no such past. It is written newest day
-- first, so a start that finds it unfinished goes on with the day before `written_from`.
CREATE TABLE demo_past (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- What was measured begins here; everything before is made up.
    until        timestamptz NOT NULL,
    written_from timestamptz NOT NULL
);
