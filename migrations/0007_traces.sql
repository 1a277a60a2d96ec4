-- What happened to single sessions, and around them: enough to tell why, kept for a month.

-- One row a fallback that a page reported.
CREATE TABLE fallbacks (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    session text NOT NULL,
    node    text NOT NULL,
    reason  text NOT NULL,
    -- Families and shapes, never what the browser said word for word: both are bounded by the server.
    browser text NOT NULL,
    region  text NOT NULL,
    route   text NOT NULL
);
CREATE INDEX fallbacks_at ON fallbacks (at);

-- What fallbacks are a share of: pages that reported anything, by ten minutes. Without it the commonest browser would
-- always look guilty.
CREATE TABLE pages_seen (
    bucket_start timestamptz NOT NULL,
    browser      text NOT NULL,
    region       text NOT NULL,
    route        text NOT NULL,
    pages        bigint NOT NULL,
    PRIMARY KEY (bucket_start, browser, region, route)
);

-- Flags on the charts: starts of nodes, changes of limits, and whatever is posted, deploys above all.
CREATE TABLE annotations (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at   timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('deploy', 'restart', 'change', 'note')),
    -- Empty: about all nodes.
    node text NOT NULL DEFAULT '',
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 200)
);
CREATE INDEX annotations_at ON annotations (at);

-- The timeline of a session: its events (thinned: stage changes, and progress every ten seconds), streams, polls by the
-- minute, fallbacks, latencies. By day, so that old days go by dropping a table.
CREATE TABLE session_marks (
    session text NOT NULL,
    at      timestamptz NOT NULL,
    kind    text NOT NULL,
    node    text NOT NULL,
    detail  text NOT NULL,
    -- What it means depends on the kind: progress, milliseconds, a count.
    value   double precision
) PARTITION BY RANGE (at);
CREATE INDEX session_marks_session ON session_marks (session, at);

CREATE FUNCTION session_marks_partition(moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := date_trunc('day', moment AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    name  text := 'session_marks_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('session_marks_partition'));
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF session_marks FOR VALUES FROM (%L) TO (%L)',
                       name, first, first + interval '1 day');
    END IF;
END $$;

-- Lets go of what is older than `before`.
CREATE FUNCTION traces_drop(before timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
        WHERE inhparent = to_regclass('session_marks')
    LOOP
        IF (to_date(right(part.relname, 8), 'YYYYMMDD')::timestamp + interval '1 day') AT TIME ZONE 'UTC' <= before THEN
            EXECUTE format('DROP TABLE %I', part.relname);
        END IF;
    END LOOP;
    DELETE FROM fallbacks WHERE at < before;
    DELETE FROM pages_seen WHERE bucket_start < before;
END $$;

-- The list of all sessions, page by page from the newest.
CREATE INDEX sessions_started ON sessions (started_at DESC, id DESC);
