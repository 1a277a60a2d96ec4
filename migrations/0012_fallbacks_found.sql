-- Pages by node, so that one node's fallbacks are a share of its own pages. Rows of before are of no node.
ALTER TABLE pages_seen ADD COLUMN node text NOT NULL DEFAULT '';
ALTER TABLE pages_seen DROP CONSTRAINT pages_seen_pkey;
ALTER TABLE pages_seen ADD PRIMARY KEY (bucket_start, node, browser, region, route);

-- Sessions are found by why and where a page of theirs fell back.
CREATE INDEX fallbacks_reason ON fallbacks (reason, region, session);
