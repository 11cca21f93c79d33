-- The lines of code that leak most: in how many processes, and since when.
SELECT fingerprint, rule, file, line, function, findings, processes, first_at, last_at, trend
FROM faults WHERE leaks = 1
ORDER BY findings DESC, processes DESC, fingerprint
LIMIT 1000;
