-- sink: price BIGINT, dt TIMESTAMP(3)
SELECT MAX(price), window_start
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY window_start, window_end
