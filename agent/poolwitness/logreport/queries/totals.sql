-- Totals over all events.
SELECT
    count(*) AS events,
    count(DISTINCT process) AS processes,
    coalesce(min(moment), 0) AS first_at,
    coalesce(max(moment), 0) AS last_at,
    sum(CASE WHEN event = 'poolwitness.pool.opened' THEN 1 ELSE 0 END) AS pools_opened,
    sum(CASE WHEN event = 'poolwitness.pool.closed' THEN 1 ELSE 0 END) AS pools_closed,
    sum(CASE
        WHEN event = 'poolwitness.finding' THEN 1 + held_back
        WHEN event = 'poolwitness.finding.held_back' THEN held_back
        ELSE 0
    END) AS findings,
    count(DISTINCT CASE WHEN event IN ('poolwitness.finding', 'poolwitness.finding.held_back') THEN fingerprint END)
        AS faults,
    count(DISTINCT CASE WHEN event IN ('poolwitness.finding', 'poolwitness.finding.held_back') THEN process END)
        AS processes_with_findings,
    count(DISTINCT CASE WHEN event = 'poolwitness.verdict' THEN process END) AS verdicts,
    sum(suppressed) AS suppressed,
    sum(lines_lost) AS lines_lost
FROM events;
