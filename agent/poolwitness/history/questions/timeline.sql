-- How many pools, connections and threads there were, in 96 steps from the first event to the last.
-- A pool has the most connections and threads that any of its events tells of; it counts until it was closed or
-- dropped, or until the last event of its process.
WITH
    span AS (SELECT min(moment) AS start_at, CAST(max(moment) - min(moment) + 1 AS DOUBLE) AS length FROM events),
    ends AS (SELECT process AS ended, max(moment) AS end_at FROM events GROUP BY process),
    pools AS (
        SELECT
            process, pool_id,
            min(CASE WHEN event = 'poolwitness.pool.opened' THEN moment END) AS opened_at,
            min(CASE WHEN event = 'poolwitness.pool.closed' OR rule = 'PW002' THEN moment END) AS closed_at,
            max(greatest(min_size, pool_size, peak_in_use)) AS connections,
            -- An async pool has tasks. psycopg_pool gives the others 3 workers and a scheduler, unless told otherwise.
            max(CASE
                WHEN pool_class LIKE '%Async%' THEN 0
                WHEN workers > 0 THEN workers + 1
                WHEN threads > 0 THEN threads
                WHEN event = 'poolwitness.pool.opened' THEN 4
                ELSE 0
            END) AS threads
        FROM events WHERE pool_id > 0
        GROUP BY process, pool_id
    ),
    lives AS (
        SELECT
            p.opened_at AS from_at, greatest(p.opened_at + 1, coalesce(p.closed_at, e.end_at)) AS to_at,
            p.connections AS connections, p.threads AS threads
        FROM pools AS p JOIN ends AS e ON e.ended = p.process
        WHERE p.opened_at IS NOT NULL
    ),
    changes AS (
        SELECT from_at AS moment, 1 AS pools, connections, threads FROM lives
        UNION ALL
        SELECT to_at AS moment, -1 AS pools, -connections AS connections, -threads AS threads FROM lives
    ),
    moments AS (
        SELECT moment, sum(pools) AS pools, sum(connections) AS connections, sum(threads) AS threads
        FROM changes GROUP BY moment
    ),
    running AS (
        SELECT
            moment,
            sum(pools) OVER (ORDER BY moment) AS pools_then,
            sum(connections) OVER (ORDER BY moment) AS connections_then,
            sum(threads) OVER (ORDER BY moment) AS threads_then
        FROM moments
    )
SELECT
    CAST(floor((r.moment - s.start_at) * CAST(96 AS DOUBLE) / s.length) AS BIGINT) AS step,
    max(r.pools_then) AS pools, max(r.connections_then) AS connections, max(r.threads_then) AS threads,
    max_by(r.pools_then, r.moment) AS pools_after,
    max_by(r.connections_then, r.moment) AS connections_after,
    max_by(r.threads_then, r.moment) AS threads_after
FROM running AS r CROSS JOIN span AS s
GROUP BY step
ORDER BY step;
