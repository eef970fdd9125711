SELECT auction, bidder, price, "dateTime" AS dt, extra FROM bid
