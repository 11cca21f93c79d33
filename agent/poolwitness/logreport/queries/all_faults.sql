-- All faults, those in the most processes first.
SELECT * FROM faults
ORDER BY processes DESC, findings DESC, fingerprint
LIMIT 1000;
