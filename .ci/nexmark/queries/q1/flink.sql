-- sink: auction BIGINT, bidder BIGINT, price DOUBLE, dt TIMESTAMP_LTZ(3), extra STRING
SELECT auction, bidder, CAST(0.908 * price AS DOUBLE), `dateTime`, extra FROM bid
