SELECT max(price) AS price, time_bucket(INTERVAL 10 SECOND, "dateTime") AS dt FROM bid GROUP BY ALL
