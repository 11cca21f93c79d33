-- Pools that were opened and closed: most of what is written, and little of each is asked for.
CREATE TABLE quiet_events (
    moment BIGINT NOT NULL,
    event VARCHAR,
    process VARCHAR,
    run_id VARCHAR,
    seq BIGINT,
    pool VARCHAR,
    pool_id BIGINT,
    pool_class VARCHAR,
    made_at VARCHAR,         -- poolwitness.pool.created_at: pool_file is made of it
    db VARCHAR,
    min_size BIGINT,
    pool_size BIGINT,
    peak_in_use BIGINT,
    workers BIGINT,
    threads BIGINT
);
