SELECT b.auction, b.price, b.bidder, b."dateTime" AS dt, b.extra
FROM bid b JOIN (
  SELECT max(price) AS most, time_bucket(INTERVAL 10 SECOND, "dateTime") + INTERVAL 10 SECOND AS ends FROM bid GROUP BY ALL
) m ON b.price = m.most AND b."dateTime" BETWEEN m.ends - INTERVAL 10 SECOND AND m.ends
