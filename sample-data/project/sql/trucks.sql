-- How long is a truck inside? The figure that hauliers ask for. It follows the mirror, change by change.
CREATE MATERIALIZED VIEW gold.truck_turn_time AS
SELECT
  gate,
  purpose,
  count(*) AS visits,
  round(avg(seconds) / 60, 1) AS average_minutes,
  round(median(seconds) / 60, 1) AS median_minutes,
  round(max(seconds) / 60.0, 1) AS longest_minutes
FROM (
  SELECT gate, purpose, date_diff('second', in_at::TIMESTAMP, out_at::TIMESTAMP) AS seconds
  FROM silver.truck_visits
  WHERE out_at IS NOT NULL
)
GROUP BY gate, purpose;

-- What the cameras at the gates saw, by quarters of an hour: plates read, trucks, and those that had no booking.
CREATE MATERIALIZED VIEW gold.gate_traffic AS
SELECT
  split_part(path, '/', 3) AS gate,
  window_start AS quarter,
  count(*) AS plates_read,
  count(DISTINCT split_part(path, '=', 2)) AS trucks,
  count(*) FILTER (WHERE status = 403) AS refused
FROM TUMBLE(gate_log, time, INTERVAL '15 minutes')
GROUP BY split_part(path, '/', 3), window_start
EMIT ON WINDOW CLOSE;
