INSERT INTO gold.q0 SELECT auction, bidder, price, "dateTime" AS dt, extra FROM bid;
