WITH hop AS (
  SELECT auction, count(*) AS num, dt
  FROM (
    SELECT auction, unnest(generate_series(last - INTERVAL 8 SECOND, last, INTERVAL 2 SECOND)) AS dt
    FROM (SELECT auction, time_bucket(INTERVAL 2 SECOND, "dateTime") AS last FROM bid)
  ) GROUP BY ALL
)
SELECT hop.auction, hop.num, hop.dt
FROM hop JOIN (SELECT dt, max(num) AS most FROM hop GROUP BY dt) m ON hop.dt = m.dt AND hop.num >= m.most
