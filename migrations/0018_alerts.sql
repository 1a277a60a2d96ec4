-- Alert rules, their states, incidents, silences and maintenance.
--
-- One node evaluates, the elected one. What it decides about a bucket is one transaction: the states of all rules, the
-- transitions, the incidents and their timelines are stored together or not at all.

-- The one row that every change of alerts locks first, so that a judgement and what a person does never cross.
CREATE TABLE alert_evaluator (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- The fence. A node that becomes the evaluator adds one, and writes only while the number is still its own: a node that
    -- was frozen and wakes up writes nothing.
    epoch          bigint NOT NULL DEFAULT 0,
    -- The node that evaluates.
    node           text NOT NULL DEFAULT '',
    -- The end of the last evaluation.
    evaluated_at   timestamptz,
    -- Counts what was judged and stored: a turn names the one before it, so that a turn whose COMMIT was not answered is
    -- not stored twice. No time does that, since clocks are set back.
    turn           bigint NOT NULL DEFAULT 0,
    -- Counts changes of rules: the evaluator then reads them anew.
    rules_revision bigint NOT NULL DEFAULT 0,
    -- Counts everything that pages show: nodes that do not evaluate then read it anew.
    revision       bigint NOT NULL DEFAULT 0,
    -- The shipped rules were written once. Rules that people delete do not come back.
    seeded         boolean NOT NULL DEFAULT false
);
INSERT INTO alert_evaluator DEFAULT VALUES;

-- The rules, unless a file holds them.
CREATE TABLE alert_rules (
    name    text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    -- Grows with each change, also over a deletion, so that two people who edit at once cannot both win.
    version bigint NOT NULL CHECK (version > 0),
    -- One item of `alerts:`, as a file has it.
    yaml    text NOT NULL CHECK (length(yaml) BETWEEN 1 AND 16384),
    enabled boolean NOT NULL,
    -- The order in which rules were made, which is the order of lists.
    place   bigint GENERATED ALWAYS AS IDENTITY
);

-- Who changed a rule, when, and what it was before. Kept for ever, as the audit log is.
CREATE TABLE alert_rule_versions (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule     text NOT NULL,
    version  bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    -- By name, as it was then. Empty: the server itself, which wrote the shipped rules.
    actor    text NOT NULL,
    -- NULL: it did not exist before, or does not exist any more.
    old_yaml text,
    new_yaml text,
    UNIQUE (rule, version)
);

-- What a restart must not change: one row a rule, of a file or of the database. Rows are written every ten seconds.
CREATE TABLE alert_state (
    rule   text PRIMARY KEY,
    -- Phase, hold and window; `core::alert` writes and reads it.
    state  jsonb NOT NULL,
    -- The newest bucket that was judged, as the start of its 10 s by the clock, divided by 10.
    newest bigint NOT NULL,
    -- The evaluator that wrote it.
    fence  bigint NOT NULL,
    -- What pages show of it.
    view   jsonb NOT NULL
) WITH (fillfactor = 50);

-- An incident keeps what its rule said when it fired: the rule may be edited or deleted later.
CREATE TABLE incidents (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule            text NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    metric          text NOT NULL,
    title           text NOT NULL,
    unit            text NOT NULL,
    threshold       double precision,
    recover         double precision,
    below           boolean NOT NULL,
    node            text,
    region          text,
    -- The rule as it was then, for the chart of an incident whose rule was edited since.
    yaml            text NOT NULL,
    pending_at      timestamptz,
    opened_at       timestamptz NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    remind_at       timestamptz,
    resolved_at     timestamptz,
    resolution      text,
    outcome         text CHECK (outcome IN ('real', 'false', 'expected', 'test')),
    value           double precision,
    peak            double precision,
    reason          text NOT NULL,
    -- Why nothing was sent, while it was so.
    muted_by        jsonb,
    -- Text for the public status page.
    published       text CHECK (length(published) <= 2000),
    -- An earlier incident of the rule that had ended less than an hour before.
    again           bigint,
    -- Written by the demo, not measured.
    seeded          boolean NOT NULL DEFAULT false,
    CHECK (resolved_at IS NULL OR resolved_at >= opened_at),
    CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL))
);
-- A rule has one open incident at most.
CREATE UNIQUE INDEX incidents_open ON incidents (rule) WHERE resolved_at IS NULL AND NOT seeded;
-- "Incidents of this rule, newest first."
CREATE INDEX incidents_rule ON incidents (rule, id DESC);
-- "What people judged in the last 90 days."
CREATE INDEX incidents_opened ON incidents (opened_at);

CREATE TABLE incident_timeline (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident bigint NOT NULL REFERENCES incidents ON DELETE CASCADE,
    at       timestamptz NOT NULL,
    kind     text NOT NULL CHECK (length(kind) BETWEEN 1 AND 32),
    -- Empty: the server itself.
    actor    text NOT NULL,
    text     text NOT NULL CHECK (length(text) <= 4000),
    value    double precision
);
CREATE INDEX incident_timeline_incident ON incident_timeline (incident, id);

-- Every change of a rule's state, also of one that never fired: the spans of charts. Kept for 35 days.
CREATE TABLE alert_transitions (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule     text NOT NULL,
    -- The end of the bucket that decided.
    at       timestamptz NOT NULL,
    kind     text NOT NULL CHECK (length(kind) BETWEEN 1 AND 32),
    incident bigint,
    value    double precision,
    reason   text NOT NULL
);
CREATE INDEX alert_transitions_rule ON alert_transitions (rule, id DESC);
CREATE INDEX alert_transitions_at ON alert_transitions (at);

CREATE TABLE silences (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A rule's name, or * for all.
    rule           text NOT NULL CHECK (length(rule) BETWEEN 1 AND 64),
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz,
    until_resolved boolean NOT NULL,
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    author         text NOT NULL,
    -- When it ended: by time, by hand, or because the rule was resolved.
    ended_at       timestamptz,
    -- A silence that nobody would ever end hides the next fault.
    CHECK ((ends_at IS NULL) = until_resolved),
    CHECK (ends_at <= starts_at + interval '7 days')
);
CREATE INDEX silences_active ON silences (id) WHERE ended_at IS NULL;

CREATE TABLE maintenance (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule      text NOT NULL CHECK (length(rule) BETWEEN 1 AND 64),
    reason    text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    author    text NOT NULL,
    -- Once.
    starts_at timestamptz,
    ends_at   timestamptz,
    -- Again and again: five fields, seconds, and an IANA zone.
    cron      text CHECK (length(cron) <= 100),
    duration  bigint CHECK (duration BETWEEN 60 AND 604800),
    zone      text CHECK (length(zone) <= 64),
    ended_at  timestamptz,
    CHECK ((cron IS NULL) = (starts_at IS NOT NULL)),
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CHECK ((cron IS NULL) = (duration IS NULL) AND (cron IS NULL) = (zone IS NULL)),
    CHECK (ends_at > starts_at)
);
CREATE INDEX maintenance_active ON maintenance (id) WHERE ended_at IS NULL;
