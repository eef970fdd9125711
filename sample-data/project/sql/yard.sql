-- How long do containers stay? Those that have left, by where they went.
CREATE MATERIALIZED VIEW gold.dwell_time AS
SELECT
  port,
  way,
  count(*) AS containers,
  round(avg(seconds) / 3600, 2) AS average_hours,
  round(median(seconds) / 3600, 2) AS median_hours,
  round(max(seconds) / 3600.0, 2) AS longest_hours
FROM (
  SELECT port, way, date_diff('second', in_at::TIMESTAMP, out_at::TIMESTAMP) AS seconds
  FROM silver.containers
  WHERE out_at IS NOT NULL
)
GROUP BY port, way;

-- Refrigerated containers that are more than three degrees too warm, in windows of ten minutes.
CREATE MATERIALIZED VIEW gold.reefer_alarms AS
SELECT id AS container, port, window_start AS since, max(value) AS warmest, max(setpoint) AS setpoint
FROM TUMBLE(sensors, read_at, INTERVAL '10 minutes')
WHERE kind = 'reefer'
GROUP BY id, port, window_start
HAVING max(value) > max(setpoint) + 3
EMIT ON WINDOW CLOSE;

-- What the shipping lines have announced.
CREATE MATERIALIZED VIEW gold.expected AS
SELECT day, count(*) AS containers, sum(teu)::BIGINT AS teu, sum(weight_kg)::BIGINT AS weight_kg, count(*) FILTER (WHERE dangerous) AS dangerous
FROM manifests
GROUP BY day;

-- Containers that customs hold, with what waits for them: a view, for it joins two mirrors.
CREATE OR REPLACE VIEW gold.held_containers AS
SELECT h.container, h.reason, h.placed_at::TIMESTAMP AS since, c.port, c.iso_type
FROM silver.customs_holds AS h
LEFT JOIN silver.containers AS c ON c.no = h.container
WHERE h.released_at IS NULL
ORDER BY since;
