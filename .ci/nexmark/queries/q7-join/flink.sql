-- sink: auction BIGINT, price BIGINT, bidder BIGINT, dt TIMESTAMP_LTZ(3), extra STRING
SELECT b.auction, b.price, b.bidder, b.`dateTime`, b.extra
FROM bid b JOIN (
  SELECT MAX(price) AS most, window_end AS ends
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) m ON b.price = m.most
WHERE b.`dateTime` BETWEEN m.ends - INTERVAL '10' SECOND AND m.ends
