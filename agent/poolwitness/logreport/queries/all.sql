-- Every fault, those that are in most processes first.
SELECT * FROM faults
ORDER BY processes DESC, findings DESC, fingerprint
LIMIT 1000;
