SELECT auction, count(*) AS num, max(price) AS price, CAST(sum(price) AS BIGINT) AS total, time_bucket(INTERVAL 10 SECOND, "dateTime") AS dt
FROM bid GROUP BY ALL
