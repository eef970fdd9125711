-- sink: auction BIGINT, num BIGINT, dt TIMESTAMP(3)
SELECT auction, COUNT(*), window_start
FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end
