-- API keys. What is kept opens nothing: a digest of a secret of 256 bits, which needs no slow hash.
CREATE TABLE api_keys (
    -- Shown in the key itself, in lists and in logs.
    id         text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- SHA-256 of the secret.
    digest     bytea NOT NULL CHECK (length(digest) = 32),
    scopes     text[] NOT NULL CHECK (scopes <@ ARRAY['publish', 'admin'] AND cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- A revoked key stays in the list: whoever finds it in a log must be able to see what it was.
    revoked_at timestamptz
);

-- What all nodes sign with, made by whichever node needs it first.
CREATE TABLE signing_secrets (
    name       text PRIMARY KEY,
    secret     bytea NOT NULL CHECK (length(secret) >= 32),
    created_at timestamptz NOT NULL DEFAULT now()
);
