-- The two weeks that are compared: the one that ends with the newest event, and the one before it.
CREATE VIEW time_window AS
SELECT
    max(moment) AS until_at,
    max(moment) - 604800000000 AS now_from,
    max(moment) - 1209600000000 AS before_from
FROM events;
