SELECT auction, count(*) AS num, dt
FROM (
  SELECT auction, unnest(generate_series(last - INTERVAL 8 SECOND, last, INTERVAL 2 SECOND)) AS dt
  FROM (SELECT auction, time_bucket(INTERVAL 2 SECOND, "dateTime") AS last FROM bid)
) GROUP BY ALL
