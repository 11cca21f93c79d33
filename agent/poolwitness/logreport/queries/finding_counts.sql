-- The number of findings in each of the 96 steps of the timeline.
WITH span AS (SELECT min(moment) AS start_at, CAST(max(moment) - min(moment) + 1 AS DOUBLE) AS length FROM events)
SELECT
    CAST(floor((e.moment - s.start_at) * CAST(96 AS DOUBLE) / s.length) AS BIGINT) AS step,
    sum(CASE WHEN e.event = 'poolwitness.finding' THEN 1 ELSE 0 END + e.held_back) AS findings
FROM events AS e CROSS JOIN span AS s
WHERE e.event IN ('poolwitness.finding', 'poolwitness.finding.held_back')
GROUP BY step
ORDER BY step;
