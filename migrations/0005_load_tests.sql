-- One row a load test that was run against this server and posted to it. What the list shows, sorts by and trends is a
-- column, so that a list never reads the documents; the whole document (about 50 kB, at most 512 kB) is for the run's
-- own page. The newest 500 rows are kept: whoever adds one deletes what is older.
CREATE TABLE load_tests (
    -- The order in which runs were posted, and so what "newest" means: `started_at` is another machine's clock.
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scenario       text NOT NULL CHECK (length(scenario) BETWEEN 1 AND 64),
    -- What made the load differ from the scenario as it stands, as options of the command. Only runs with the same
    -- scenario and the same options are compared.
    options        text NOT NULL,
    title          text NOT NULL,
    started_at     timestamptz NOT NULL,
    -- The node that kept it, and its version: the tool posts to the server that it tested.
    node           text NOT NULL,
    server_version text NOT NULL,
    time_scale     double precision NOT NULL,
    passed         boolean NOT NULL,
    interrupted    boolean NOT NULL,
    -- Targets that were missed, and those that nothing can be said of.
    missed         integer NOT NULL,
    unjudged       integer NOT NULL,
    peak_streams   bigint NOT NULL,
    -- NULL is "not measured", never zero.
    deliveries                bigint NOT NULL,
    delivery_p95_ms           double precision,
    delivery_p99_ms           double precision,
    connects                  bigint NOT NULL,
    connect_p95_ms            double precision,
    lost                      bigint NOT NULL,
    repeated                  bigint NOT NULL,
    memory_mb_per_100_streams double precision,
    cpu_peak_percent          double precision,
    document       jsonb NOT NULL
);

-- "The runs of this scenario, newest first", and the run of the same load before another.
CREATE INDEX load_tests_scenario ON load_tests (scenario, id DESC);
