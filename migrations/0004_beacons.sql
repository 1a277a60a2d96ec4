-- What browsers measure: older rows have none, which is what NULL says.
ALTER TABLE metric_samples
    ADD COLUMN first_update   bytea, -- milliseconds
    ADD COLUMN client_latency bytea; -- milliseconds
