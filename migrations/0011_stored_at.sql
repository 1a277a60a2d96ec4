-- When a row was written, which may be long after its time: a node that could not reach the database hands in what it
-- measured meanwhile. Other nodes ask for what came since they asked last.
ALTER TABLE metric_samples ADD COLUMN stored_at timestamptz NOT NULL DEFAULT now();
