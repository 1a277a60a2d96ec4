-- What was measured: one row a node every 10 s, and the same merged to a minute and an hour.
--
-- Counters are one JSON object, zeros left out, so that a new counter needs no migration and an operator can
-- still read `counters->>'delivered'`. Histograms are HdrHistogram V2, compressed, in the unit their comment says;
-- they are merged and then read, never averaged.
CREATE TABLE metric_samples (
    node         text NOT NULL,
    -- Seconds covered: 10 as measured, 60 and 3600 merged.
    resolution   integer NOT NULL,
    bucket_start timestamptz NOT NULL,
    -- Start of the process that measured (Unix ms), since a restart inside a bucket leaves two rows; 0 when merged.
    run          bigint NOT NULL,
    counters     jsonb NOT NULL,
    delivery     bytea, -- microseconds
    connect      bytea, -- microseconds
    duration     bytea, -- milliseconds
    publish_lag  bytea, -- microseconds
    staleness    bytea, -- milliseconds
    poll_time    bytea, -- microseconds
    PRIMARY KEY (resolution, bucket_start, node, run)
) PARTITION BY LIST (resolution);

-- Each tier has partitions of its own, so that it can be kept for its own time and go by dropping a table.
CREATE TABLE metric_samples_10   PARTITION OF metric_samples FOR VALUES IN (10)   PARTITION BY RANGE (bucket_start);
CREATE TABLE metric_samples_60   PARTITION OF metric_samples FOR VALUES IN (60)   PARTITION BY RANGE (bucket_start);
CREATE TABLE metric_samples_3600 PARTITION OF metric_samples FOR VALUES IN (3600) PARTITION BY RANGE (bucket_start);

-- Makes the partition for a moment: a day of 10 s rows, a month of minutes, a year of hours.
CREATE FUNCTION metric_samples_partition(resolution integer, moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    unit   text := CASE resolution WHEN 10 THEN 'day' WHEN 60 THEN 'month' ELSE 'year' END;
    -- UTC, whatever the session's time zone: otherwise two nodes would cut days differently.
    first  timestamptz := date_trunc(unit, moment AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    behind timestamptz := (date_trunc(unit, moment AT TIME ZONE 'UTC') + ('1 ' || unit)::interval) AT TIME ZONE 'UTC';
    name   text := format('metric_samples_%s_%s', resolution, to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD'));
BEGIN
    IF to_regclass(name) IS NULL THEN
        -- Two nodes may meet here; CREATE … IF NOT EXISTS alone would let one of them fail.
        PERFORM pg_advisory_xact_lock(hashtext('metric_samples_partition'));
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                       name, 'metric_samples_' || resolution, first, behind);
    END IF;
END $$;
