-- Up to when the rows of each tier are gone. A bucket is merged from all of its finer rows, so a row that comes after
-- others of its bucket were dropped can be merged no more: whoever writes asks first, and a merge does too.
CREATE TABLE metric_samples_dropped (
    resolution integer PRIMARY KEY,
    -- Every row that begins earlier is gone, and none comes any more.
    before     timestamptz NOT NULL
);

-- The partitions of a tier and what they hold, oldest first.
CREATE FUNCTION metric_samples_partitions(tier integer)
RETURNS TABLE (name name, first timestamptz, behind timestamptz)
LANGUAGE sql STABLE AS $$
    -- A partition's name ends with the UTC day that it begins at.
    SELECT relname, day AT TIME ZONE 'UTC',
           (day + CASE tier WHEN 10 THEN interval '1 day' WHEN 60 THEN interval '1 month' ELSE interval '1 year' END)
               AT TIME ZONE 'UTC'
    FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid,
         LATERAL (SELECT to_date(right(relname, 8), 'YYYYMMDD')::timestamp AS day) AS begin
    WHERE inhparent = to_regclass('metric_samples_' || tier)
    ORDER BY day
$$;

-- Earlier versions dropped without a note: what is older than the oldest partition may have been there.
INSERT INTO metric_samples_dropped (resolution, before)
SELECT tier, min(first) FROM unnest(ARRAY[10, 60, 3600, 86400]) AS tier, metric_samples_partitions(tier) GROUP BY tier;

-- Whether nothing is dropped yet of a tier, or of a coarser one, from a moment on. It stays so until the transaction of
-- whoever asks ends.
CREATE FUNCTION metric_samples_whole(tier integer, moment timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('metric_samples_drop'));
    RETURN NOT EXISTS (
        SELECT FROM metric_samples_dropped AS dropped WHERE dropped.resolution >= tier AND moment < dropped.before
    );
END $$;

-- Lets go of a tier's partitions that end at or before a moment, and notes it. One with a bucket that is due waits, and
-- those after it too: what is due is merged from it. Answers how many went.
CREATE OR REPLACE FUNCTION metric_samples_drop(tier integer, before timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    dropped integer := 0;
    part    record;
BEGIN
    -- While a row is being written or a bucket merged, nothing goes. Tried only: who waits here holds up all writers.
    IF NOT pg_try_advisory_xact_lock(hashtext('metric_samples_drop')) THEN
        RETURN 0;
    END IF;
    FOR part IN SELECT * FROM metric_samples_partitions(tier) LOOP
        EXIT WHEN part.behind > before OR EXISTS (
            SELECT FROM rollup_due WHERE bucket_start >= part.first AND bucket_start < part.behind
        );
        EXECUTE format('DROP TABLE %I', part.name);
        INSERT INTO metric_samples_dropped AS noted (resolution, before) VALUES (tier, part.behind)
        ON CONFLICT (resolution) DO UPDATE SET before = greatest(noted.before, excluded.before);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
