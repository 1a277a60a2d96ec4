-- How long the probe's own publish took to be answered: older rows have none.
ALTER TABLE metric_samples ADD COLUMN probe_publish bytea; -- microseconds
