-- The numbers of pools, connections and threads, in 96 steps from the first event to the last.
-- A pool counts with the most connections and threads that any of its events reports, until it was closed or dropped
-- or until the last event of its process.
WITH
    span AS (SELECT min(moment) AS start_at, CAST(max(moment) - min(moment) + 1 AS DOUBLE) AS length FROM events),
    ends AS (SELECT process AS ended, max(moment) AS end_at FROM events GROUP BY process),
    pools AS (
        SELECT
            process, pool_id,
            min(CASE WHEN event = 'poolwitness.pool.opened' THEN moment END) AS opened_at,
            min(CASE WHEN event = 'poolwitness.pool.closed' OR rule = {dropped_open} THEN moment END) AS closed_at,
            max(greatest(min_size, pool_size, peak_in_use)) AS connections,
            -- An async pool has tasks. Other pools have 3 workers and a scheduler by default.
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
        SELECT
            moment, CAST(floor((moment - start_at) * CAST(786432 AS DOUBLE) / length) AS BIGINT) AS part,
            pools, connections, threads
        FROM (
            SELECT from_at AS moment, 1 AS pools, connections, threads FROM lives
            UNION ALL
            SELECT to_at AS moment, -1 AS pools, -connections AS connections, -threads AS threads FROM lives
        ) AS c CROSS JOIN span AS s
    ),
    -- Sorting all changes would take longest. So each step is first divided into 8,192 parts: by how much each changes
    -- the numbers, and by how much at most they rise within it. Only parts that may contain the step's maximum are
    -- examined change by change.
    parts AS (
        SELECT
            part, sum(pools) AS pools_by, sum(connections) AS connections_by, sum(threads) AS threads_by,
            sum(CASE WHEN pools > 0 THEN 1 ELSE 0 END) AS pools_up,
            sum(CASE WHEN pools > 0 THEN connections ELSE 0 END) AS connections_up,
            sum(CASE WHEN pools > 0 THEN threads ELSE 0 END) AS threads_up
        FROM changes GROUP BY part
    ),
    levels AS (
        SELECT
            part, CAST(floor(part / 8192) AS BIGINT) AS step,
            pools_by, connections_by, threads_by, pools_up, connections_up, threads_up,
            sum(pools_by) OVER (ORDER BY part) AS pools_then,
            sum(connections_by) OVER (ORDER BY part) AS connections_then,
            sum(threads_by) OVER (ORDER BY part) AS threads_then
        FROM parts
    ),
    steps AS (
        SELECT
            step AS of_step,
            max(pools_then) AS pools_most, max(connections_then) AS connections_most, max(threads_then) AS threads_most,
            max_by(pools_then, part) AS pools_after,
            max_by(connections_then, part) AS connections_after,
            max_by(threads_then, part) AS threads_after
        FROM levels GROUP BY step
    ),
    higher AS (
        SELECT
            l.part AS in_part, l.step AS in_step,
            l.pools_then - l.pools_by AS pools_before,
            l.connections_then - l.connections_by AS connections_before,
            l.threads_then - l.threads_by AS threads_before
        FROM levels AS l JOIN steps AS s ON s.of_step = l.step
        WHERE l.pools_then - l.pools_by + l.pools_up > s.pools_most
           OR l.connections_then - l.connections_by + l.connections_up > s.connections_most
           OR l.threads_then - l.threads_by + l.threads_up > s.threads_most
    ),
    running AS (
        SELECT
            h.in_step AS in_step,
            h.pools_before + sum(c.pools) OVER (PARTITION BY c.part ORDER BY c.moment) AS pools_then,
            h.connections_before + sum(c.connections) OVER (PARTITION BY c.part ORDER BY c.moment) AS connections_then,
            h.threads_before + sum(c.threads) OVER (PARTITION BY c.part ORDER BY c.moment) AS threads_then
        FROM changes AS c JOIN higher AS h ON h.in_part = c.part
    ),
    highest AS (
        SELECT
            in_step, max(pools_then) AS pools_high, max(connections_then) AS connections_high,
            max(threads_then) AS threads_high
        FROM running GROUP BY in_step
    )
SELECT
    s.of_step AS step,
    greatest(s.pools_most, coalesce(h.pools_high, s.pools_most)) AS pools,
    greatest(s.connections_most, coalesce(h.connections_high, s.connections_most)) AS connections,
    greatest(s.threads_most, coalesce(h.threads_high, s.threads_most)) AS threads,
    s.pools_after AS pools_after, s.connections_after AS connections_after, s.threads_after AS threads_after
FROM steps AS s LEFT JOIN highest AS h ON h.in_step = s.of_step
ORDER BY step;
