-- One row per event. Nothing is NULL: what an event does not have is '' or 0.
-- Times are microseconds since 1970 in UTC, so that the queries are the same for DuckDB and ClickHouse.
-- Lifecycle events (a pool was opened or closed) are in a table of their own; the view `events` has both.
CREATE TABLE other_events (
    moment BIGINT NOT NULL,      -- timestamp
    event VARCHAR,           -- event, for example poolwitness.finding
    level VARCHAR,           -- level; '' for pools that were opened or closed
    message VARCHAR,         -- message; '' for pools that were opened or closed
    process VARCHAR,         -- poolwitness.run_id and process.pid: one process, even if its pid is reused
    run_id VARCHAR,          -- poolwitness.run_id
    seq BIGINT,              -- poolwitness.seq
    rule VARCHAR,            -- poolwitness.rule
    rule_name VARCHAR,       -- poolwitness.rule_name
    confidence VARCHAR,      -- poolwitness.confidence
    fix VARCHAR,             -- poolwitness.fix
    fingerprint VARCHAR,     -- poolwitness.fingerprint
    pool VARCHAR,            -- db.client.connection.pool.name
    pool_id BIGINT,          -- poolwitness.pool.id, counted from 1 in each process
    pool_class VARCHAR,      -- poolwitness.pool.class
    pool_file VARCHAR,       -- the last folder and the file of poolwitness.pool.created_at
    db VARCHAR,              -- db.namespace
    file VARCHAR,            -- code.file.path; '' for pools that were opened or closed
    line BIGINT,             -- code.line.number; 0 for pools that were opened or closed
    function VARCHAR,        -- code.function.name; '' for pools that were opened or closed
    stack VARCHAR,           -- code.stacktrace; '' for pools that were opened or closed
    held_s DOUBLE,           -- poolwitness.held_s
    waited_s DOUBLE,         -- poolwitness.waited_s
    exit_delay_s DOUBLE,     -- poolwitness.exit_delay_s
    min_size BIGINT,         -- poolwitness.pool.min_size
    pool_size BIGINT,        -- poolwitness.stats.pool_size
    peak_in_use BIGINT,      -- poolwitness.peak_in_use
    workers BIGINT,          -- poolwitness.pool.num_workers
    threads BIGINT,          -- poolwitness.pool.threads_alive
    held_back BIGINT,        -- poolwitness.held_back: how many more of the same were not written
    verdict VARCHAR,         -- poolwitness.verdict
    suppressed BIGINT,       -- poolwitness.suppressed
    lines_lost BIGINT        -- poolwitness.lines_lost
);
