-- A key that may read /metrics and nothing else: it stands in a scraper's configuration.
ALTER TABLE api_keys DROP CONSTRAINT api_keys_scopes_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_scopes_check
    CHECK (scopes <@ ARRAY['publish', 'admin', 'metrics'] AND cardinality(scopes) > 0);
