-- The same samples by region, for all nodes together, and by day.

-- Whose followers a row is about: those of one region, or ('') all.
ALTER TABLE metric_samples ADD COLUMN region text NOT NULL DEFAULT '' CHECK (length(region) <= 64);
-- What the probe saw from outside: older rows have none.
ALTER TABLE metric_samples
    ADD COLUMN probe_connect  bytea, -- microseconds
    ADD COLUMN probe_delivery bytea; -- microseconds
-- A chart reads one node (or '', all nodes merged) and one region over a stretch of time; jobs read a stretch of all.
ALTER TABLE metric_samples DROP CONSTRAINT metric_samples_pkey;
ALTER TABLE metric_samples ADD PRIMARY KEY (resolution, node, region, bucket_start, run);
CREATE INDEX metric_samples_bucket ON metric_samples (bucket_start);

CREATE TABLE metric_samples_86400 PARTITION OF metric_samples FOR VALUES IN (86400) PARTITION BY RANGE (bucket_start);

-- Buckets of a coarser tier that are not what their finer rows say (yet). Whoever writes a fine row marks its coarse
-- bucket in the same transaction, so a late row of a node that was cut off is merged like any other. `marks` counts, so
-- that a mark which comes while the bucket is being merged survives.
CREATE TABLE rollup_due (
    resolution   integer NOT NULL,
    bucket_start timestamptz NOT NULL,
    marks        bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (resolution, bucket_start)
);

CREATE FUNCTION metric_samples_mark() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    coarse integer := CASE NEW.resolution WHEN 10 THEN 60 WHEN 60 THEN 3600 WHEN 3600 THEN 86400 END;
BEGIN
    IF coarse IS NOT NULL THEN
        INSERT INTO rollup_due AS due (resolution, bucket_start)
        VALUES (coarse, to_timestamp(floor(extract(epoch FROM NEW.bucket_start) / coarse) * coarse))
        ON CONFLICT (resolution, bucket_start) DO UPDATE SET marks = due.marks + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER metric_samples_mark AFTER INSERT OR UPDATE ON metric_samples
    FOR EACH ROW EXECUTE FUNCTION metric_samples_mark();

-- What earlier versions stored has no rows for all nodes together.
INSERT INTO rollup_due (resolution, bucket_start)
SELECT DISTINCT 60, date_trunc('minute', bucket_start) FROM metric_samples WHERE resolution = 10
UNION ALL
SELECT DISTINCT 3600, date_trunc('hour', bucket_start) FROM metric_samples WHERE resolution = 60
ON CONFLICT DO NOTHING;

-- Lets go of a tier's partitions that end at or before a moment. Answers how many there were.
CREATE FUNCTION metric_samples_drop(tier integer, before timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    unit    text := CASE tier WHEN 10 THEN 'day' WHEN 60 THEN 'month' ELSE 'year' END;
    dropped integer := 0;
    part    record;
BEGIN
    FOR part IN
        SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
        WHERE inhparent = to_regclass('metric_samples_' || tier)
    LOOP
        -- A partition's name ends with the UTC day that it begins at.
        IF (to_date(right(part.relname, 8), 'YYYYMMDD')::timestamp + ('1 ' || unit)::interval) AT TIME ZONE 'UTC' <= before THEN
            EXECUTE format('DROP TABLE %I', part.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;

-- The processes that ever measured. A node that says nothing is told apart from one that measures nothing.
CREATE TABLE nodes (
    name       text PRIMARY KEY,
    version    text NOT NULL,
    -- Of its last process, Unix milliseconds.
    run        bigint NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL
);
