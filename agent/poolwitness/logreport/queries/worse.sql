-- The faults that are new since last week, came back, or got worse per process that ran.
SELECT
    fingerprint, rule, file, line, function, trend,
    findings_now, findings_before, processes_now, processes_before, ran_now, ran_before, first_at
FROM faults WHERE trend IN ('new', 'back', 'worse')
ORDER BY findings_now DESC, fingerprint
LIMIT 1000;
