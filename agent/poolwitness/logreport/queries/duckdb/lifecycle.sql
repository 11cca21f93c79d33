-- Lifecycle events (a pool was opened or closed): most of all events, and queries need few of their columns.
CREATE TABLE lifecycle_events (
    moment BIGINT NOT NULL,
    event VARCHAR,
    process VARCHAR,
    run_id VARCHAR,
    seq BIGINT,
    pool VARCHAR,
    pool_id BIGINT,
    pool_class VARCHAR,
    created_at VARCHAR,      -- poolwitness.pool.created_at, from which pool_file is computed
    db VARCHAR,
    min_size BIGINT,
    pool_size BIGINT,
    peak_in_use BIGINT,
    workers BIGINT,
    threads BIGINT
);
