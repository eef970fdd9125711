-- sink: auction BIGINT, num BIGINT, dt TIMESTAMP(3)
SELECT a.auction, a.num, a.window_start
FROM (
  SELECT auction, COUNT(*) AS num, window_start, window_end
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
) a JOIN (
  SELECT MAX(num) AS most, window_start, window_end
  FROM (
    SELECT auction, COUNT(*) AS num, window_start, window_end
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  ) GROUP BY window_start, window_end
) m ON a.window_start = m.window_start AND a.window_end = m.window_end AND a.num >= m.most
