CREATE MATERIALIZED VIEW IF NOT EXISTS gold.q5 AS
SELECT auction, count(*) AS num, window_start AS dt
FROM HOP(bid, "dateTime", INTERVAL '2 SECONDS', INTERVAL '10 SECONDS')
GROUP BY auction, window_start
EMIT ON WINDOW CLOSE;
