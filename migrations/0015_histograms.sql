-- Histograms by name in one map, as counters are, so that a new one needs no migration. A value is HdrHistogram V2,
-- compressed, as Base64, in the unit that `core::metric::table` gives the histogram; one without values is left out.
--
-- NULL says that the row was stored by an earlier version, whose histograms have a column each. These rows are not
-- rewritten: a database of months would be locked for longer than a start may take. `metric_samples_histograms` reads both
-- shapes. Rows of the old shape go with their tier's retention, and nodes of the earlier version may write some until
-- they are replaced; the old columns can be dropped when none is left.
ALTER TABLE metric_samples ADD COLUMN histograms jsonb;

-- A row's histograms by name, in whichever shape it was stored. One expression, so that PostgreSQL makes it a part of the
-- query that uses it; `encode` breaks lines, which Base64 in JSON does not.
CREATE FUNCTION metric_samples_histograms(stored metric_samples) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT coalesce(stored.histograms, jsonb_strip_nulls(jsonb_build_object(
        'delivery_latency', translate(encode(stored.delivery, 'base64'), E'\n', ''),
        'connection_establishment', translate(encode(stored.connect, 'base64'), E'\n', ''),
        'connection_duration', translate(encode(stored.duration, 'base64'), E'\n', ''),
        'publish_lag', translate(encode(stored.publish_lag, 'base64'), E'\n', ''),
        'poll_staleness', translate(encode(stored.staleness, 'base64'), E'\n', ''),
        'poll_duration', translate(encode(stored.poll_time, 'base64'), E'\n', ''),
        'first_update', translate(encode(stored.first_update, 'base64'), E'\n', ''),
        'client_latency', translate(encode(stored.client_latency, 'base64'), E'\n', ''),
        'probe_connection', translate(encode(stored.probe_connect, 'base64'), E'\n', ''),
        'probe_publish', translate(encode(stored.probe_publish, 'base64'), E'\n', ''),
        'probe_delivery', translate(encode(stored.probe_delivery, 'base64'), E'\n', '')
    )))
$$;
