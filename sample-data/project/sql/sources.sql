-- How topics are read. A mirror, such as silver.calls, needs no source: it has its types.
--
-- Sensors come by themselves: their gateway posts to /ingest/sensors. What is late by more than half a minute is
-- told in system.late and counts in no window. Nothing closes a window but later readings (flush_timeout), so that
-- the answers do not depend on how fast this machine is.
CREATE SOURCE sensors (
  kind VARCHAR, port VARCHAR, id VARCHAR, read_at TIMESTAMPTZ, value DOUBLE, lift BIGINT, setpoint DOUBLE,
  WATERMARK FOR read_at AS read_at - INTERVAL '30' SECOND
) WITH (connector = 'kafka', topic = 'sensors', format = 'json', flush_timeout = 'off');

-- connectors/gate.json follows the access log of the gates.
CREATE SOURCE gate_log (
  time TIMESTAMPTZ, path VARCHAR, status INT,
  WATERMARK FOR time AS time - INTERVAL '5' SECOND
) WITH (connector = 'kafka', topic = 'gate', format = 'json', flush_timeout = 'off');

-- connectors/manifests.json reads the files that shipping lines drop.
CREATE SOURCE manifests (
  day DATE, vessel_imo BIGINT, container VARCHAR, teu INT, weight_kg BIGINT, dangerous BOOLEAN
) WITH (connector = 'kafka', topic = 'manifests', format = 'json');
