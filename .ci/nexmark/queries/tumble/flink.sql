-- sink: auction BIGINT, num BIGINT, price BIGINT, total BIGINT, dt TIMESTAMP(3)
SELECT auction, COUNT(*), MAX(price), SUM(price), window_start
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end
