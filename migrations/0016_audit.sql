-- Who changed what, and from where: one row a change, written in the transaction of the change, so that neither is stored
-- without the other. Limits are not in PostgreSQL: their rows wait in the write-behind buffer.
--
-- Rows are kept for ever. One is about 0.3 kB: a hundred changes a day for ten years are 0.1 GB.
CREATE TABLE audit (
    -- The order in which rows were stored, and what lists go on from. `at` may be earlier than that of the row before.
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    -- 'key', 'local_user', 'command_line' or 'server'; the code has the list.
    actor_kind  text NOT NULL CHECK (length(actor_kind) BETWEEN 1 AND 64),
    -- As it was then: a key may be forgotten, what it did is not.
    actor_name  text NOT NULL,
    -- Its id. No foreign key, for the same reason.
    actor_key   text,
    actor_user  text,
    -- The client's own, also behind a trusted proxy.
    address     text,
    role        text,
    action      text NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
    object      text NOT NULL,
    -- What changed, before and after. Never a secret.
    old_value   jsonb,
    new_value   jsonb
);

-- The server only appends. This keeps a mistake in it from doing anything else; the table's owner can still drop it.
CREATE FUNCTION audit_is_append_only() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of audit are neither changed nor deleted';
END $$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Who set a flag, by name. Empty: the server itself, or a version before this column.
ALTER TABLE annotations ADD COLUMN author text NOT NULL DEFAULT '';
