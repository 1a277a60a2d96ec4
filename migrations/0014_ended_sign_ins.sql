-- Admins who signed out: what their cookies say is signed and good for hours, so every node must know which of them are
-- over. A row is needed until its cookie has expired.
CREATE TABLE ended_sign_ins (
    -- As it stands in the cookie: 128 random bits as Base64. By itself it opens nothing.
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{22}$'),
    expires_at timestamptz NOT NULL
);

-- Every node reads them every few seconds, the last to expire first.
CREATE INDEX ended_sign_ins_by_expiry ON ended_sign_ins (expires_at);
