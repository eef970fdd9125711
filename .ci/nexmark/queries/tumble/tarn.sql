CREATE MATERIALIZED VIEW IF NOT EXISTS gold.tumble AS
SELECT auction, count(*) AS num, max(price) AS price, CAST(sum(price) AS BIGINT) AS total, window_start AS dt
FROM TUMBLE(bid, "dateTime", INTERVAL '10 SECONDS')
GROUP BY auction, window_start
EMIT ON WINDOW CLOSE;
