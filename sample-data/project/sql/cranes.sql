-- How many containers do the cranes of a port lift in each minute? A reading that is sent twice counts once.
CREATE MATERIALIZED VIEW gold.crane_moves_per_minute AS
SELECT port, window_start AS minute, count(DISTINCT lift) AS moves, count(DISTINCT id) AS cranes, count(*) AS readings
FROM TUMBLE(sensors, read_at, INTERVAL '1 minute')
WHERE kind = 'lift'
GROUP BY port, window_start
EMIT ON WINDOW CLOSE;

-- Above 72 km/h cranes stop.
CREATE MATERIALIZED VIEW gold.wind AS
SELECT port, id AS mast, window_start AS since, max(value) AS strongest_kmh, max(value) > 72 AS stop
FROM TUMBLE(sensors, read_at, INTERVAL '10 minutes')
WHERE kind = 'wind'
GROUP BY port, id, window_start
EMIT ON WINDOW CLOSE;
