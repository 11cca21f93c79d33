-- One row per fault, that is, per fingerprint: the same fault at the same functions, in all processes and deployments.
CREATE VIEW faults AS
WITH
    -- Lines that an agent held back are counted in the next line of their fingerprint, or in an event at the end.
    reported AS (
        SELECT *, CASE WHEN event = 'poolwitness.finding' THEN 1 ELSE 0 END AS written
        FROM events WHERE event IN ('poolwitness.finding', 'poolwitness.finding.held_back')
    ),
    counts AS (
        SELECT
            f.fingerprint AS print,
            sum(f.written + f.held_back) AS findings,
            count(DISTINCT f.process) AS processes,
            count(DISTINCT f.line) AS places,
            min(f.moment) AS first_at,
            max(f.moment) AS last_at,
            sum(CASE WHEN f.moment > w.now_from THEN f.written + f.held_back ELSE 0 END) AS findings_now,
            sum(CASE WHEN f.moment > w.before_from AND f.moment <= w.now_from THEN f.written + f.held_back ELSE 0 END)
                AS findings_before,
            count(DISTINCT CASE WHEN f.moment > w.now_from THEN f.process END) AS processes_now,
            count(DISTINCT CASE WHEN f.moment > w.before_from AND f.moment <= w.now_from THEN f.process END)
                AS processes_before,
            max(greatest(f.held_s, f.waited_s, f.exit_delay_s)) AS worst_s
        FROM reported AS f CROSS JOIN time_window AS w
        GROUP BY f.fingerprint
    ),
    latest AS (
        SELECT
            e.fingerprint AS latest_print, e.rule AS rule, e.rule_name AS rule_name, e.confidence AS confidence,
            e.level AS level, e.message AS message, e.fix AS fix, e.file AS file, e.line AS line,
            e.function AS function, e.stack AS stack, e.pool AS pool, e.pool_class AS pool_class,
            e.pool_file AS pool_file, e.db AS db,
            row_number() OVER (PARTITION BY e.fingerprint ORDER BY e.process DESC, e.seq DESC) AS nth
        FROM reported AS e JOIN counts AS c ON e.fingerprint = c.print AND e.moment = c.last_at
    ),
    back AS (
        SELECT fingerprint AS back_print, sum(1 + held_back) AS came_back
        FROM events WHERE event = 'poolwitness.finding.resolved'
        GROUP BY fingerprint
    ),
    ran AS (
        SELECT
            count(DISTINCT CASE WHEN e.moment > w.now_from THEN e.process END) AS ran_now,
            count(DISTINCT CASE WHEN e.moment > w.before_from AND e.moment <= w.now_from THEN e.process END) AS ran_before,
            count(DISTINCT CASE WHEN e.moment <= w.now_from THEN e.process END) AS ran_earlier
        FROM events AS e CROSS JOIN time_window AS w
    ),
    -- If a pool from the same file is still being opened, no findings mean that the fault is gone.
    opened AS (
        SELECT e.pool_file AS opened_file, e.db AS opened_db, count(DISTINCT e.process) AS opened_now
        FROM events AS e CROSS JOIN time_window AS w
        WHERE e.event = 'poolwitness.pool.opened' AND e.moment > w.now_from
        GROUP BY e.pool_file, e.db
    )
SELECT
    c.print AS fingerprint, l.rule AS rule, l.rule_name AS rule_name, l.confidence AS confidence, l.level AS level,
    l.file AS file, l.line AS line, l.function AS function,
    c.places AS places, c.findings AS findings, c.processes AS processes, c.first_at AS first_at, c.last_at AS last_at,
    c.findings_now AS findings_now, c.findings_before AS findings_before,
    c.processes_now AS processes_now, c.processes_before AS processes_before,
    r.ran_now AS ran_now, r.ran_before AS ran_before,
    coalesce(b.came_back, 0) AS came_back, coalesce(o.opened_now, 0) AS opened_now, c.worst_s AS worst_s,
    CASE WHEN l.rule IN ({leak_rules}) THEN 1 ELSE 0 END AS leaks,
    CASE
        WHEN r.ran_earlier = 0 THEN 'uncompared'
        WHEN c.findings_now = 0 AND coalesce(o.opened_now, 0) > 0 THEN 'gone'
        WHEN c.findings_now = 0 THEN 'unseen'
        WHEN c.findings = c.findings_now THEN 'new'
        WHEN c.findings_before = 0 THEN 'back'
        -- Half as many again per process that ran: more processes alone are not worse.
        WHEN c.findings_now * r.ran_before * 2 > c.findings_before * r.ran_now * 3 THEN 'worse'
        WHEN c.findings_now * r.ran_before * 3 < c.findings_before * r.ran_now * 2 THEN 'better'
        ELSE 'steady'
    END AS trend,
    l.message AS message, l.fix AS fix, l.stack AS stack, l.pool AS pool, l.pool_class AS pool_class, l.db AS db
FROM counts AS c
JOIN latest AS l ON l.latest_print = c.print
CROSS JOIN ran AS r
LEFT JOIN back AS b ON b.back_print = c.print
LEFT JOIN opened AS o ON o.opened_file = l.pool_file AND o.opened_db = l.db
WHERE l.nth = 1;
