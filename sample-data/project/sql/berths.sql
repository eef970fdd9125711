-- How fast does each berth work? Containers moved per hour alongside, the figure that
-- terminals compare themselves by.
--
-- The path of the data: connectors/port.json names a database; every change in it goes
-- through a topic (port.main.calls) into a table of raw events (bronze.port_main_calls)
-- and into a mirror that equals the source (silver.calls). This view reads the mirrors.
-- Change it, and apply it again with: tarn sql < sql/berths.sql
--
-- Two things to know when you write one of your own:
--  * Mirrors are equal to their tables, each for itself. For a moment silver.moves can
--    hold a move whose call is not there yet, or the other way round: the outer joins
--    make that a small number for a second, never an error.
--  * SQLite has no type for times. The port writes text, and ::TIMESTAMP reads it.
CREATE OR REPLACE VIEW gold.berth_productivity AS
WITH work AS (
  SELECT call_id, count(*) AS moves, max(moved_at) AS last_move
  FROM silver.moves
  GROUP BY call_id
),
stay AS (
  SELECT
    c.port,
    c.berth,
    c.status,
    coalesce(w.moves, 0) AS moves,
    -- A vessel that is still alongside counts up to its last move.
    date_diff('second', c.berthed_at::TIMESTAMP, coalesce(c.departed_at, w.last_move)::TIMESTAMP) AS seconds
  FROM silver.calls AS c
  LEFT JOIN work AS w ON w.call_id = c.id
  WHERE c.berth IS NOT NULL
)
SELECT
  coalesce(p.name, s.port) AS port,
  s.berth,
  count(*) AS calls,
  count(*) FILTER (WHERE s.status = 'berthed') AS alongside,
  sum(s.moves)::BIGINT AS moves,
  -- Null until there is a move to divide by.
  round(sum(s.moves) FILTER (WHERE s.seconds > 0) * 3600.0 / nullif(sum(s.seconds) FILTER (WHERE s.seconds > 0), 0), 1) AS moves_per_hour
FROM stay AS s
LEFT JOIN silver.ports AS p ON p.locode = s.port
GROUP BY coalesce(p.name, s.port), s.berth
ORDER BY port, berth;
