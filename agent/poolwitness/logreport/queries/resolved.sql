-- The resolved faults: not seen for a week though their pool was opened, or suspicions that were resolved.
SELECT fingerprint, rule, file, line, function, trend, findings, came_back, last_at, opened_now
FROM faults WHERE trend = 'gone' OR came_back > 0
ORDER BY trend, findings DESC, fingerprint
LIMIT 1000;
