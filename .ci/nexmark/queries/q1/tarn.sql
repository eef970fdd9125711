INSERT INTO gold.q1 SELECT auction, bidder, CAST(0.908 * price AS DOUBLE) AS price, "dateTime" AS dt, extra FROM bid;
