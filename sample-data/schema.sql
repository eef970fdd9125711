-- The database of two container terminals on the Strait of Gibraltar. It is an
-- ordinary SQLite database: nothing in it knows of Tarn. Times are text in UTC,
-- '2026-01-05 06:00:00.000', as SQLite's own functions write them.
PRAGMA journal_mode = WAL;

CREATE TABLE ports (
  locode    TEXT PRIMARY KEY NOT NULL, -- UN/LOCODE
  name      TEXT NOT NULL,
  country   TEXT NOT NULL,
  latitude  REAL NOT NULL,
  longitude REAL NOT NULL,
  timezone  TEXT
);

CREATE TABLE vessels (
  imo          INTEGER PRIMARY KEY, -- invented: a valid check digit, in no assigned range
  name         TEXT NOT NULL UNIQUE,
  flag         TEXT NOT NULL,
  service      TEXT NOT NULL, -- the lane that it sails
  teu_capacity INTEGER NOT NULL,
  length_m     REAL NOT NULL
);

-- A call is one visit of a vessel to a terminal. A cancelled call is deleted.
CREATE TABLE calls (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  vessel_imo    INTEGER NOT NULL REFERENCES vessels (imo),
  voyage        TEXT NOT NULL,
  port          TEXT NOT NULL REFERENCES ports (locode),
  berth         TEXT, -- null until it has one
  from_port     TEXT NOT NULL REFERENCES ports (locode),
  to_port       TEXT NOT NULL REFERENCES ports (locode),
  status        TEXT NOT NULL CHECK (status IN ('planned', 'berthed', 'departed')),
  cranes        INTEGER NOT NULL,
  moves_planned INTEGER NOT NULL,
  eta           TEXT NOT NULL,
  berthed_at    TEXT,
  departed_at   TEXT,
  UNIQUE (vessel_imo, voyage)
);
CREATE INDEX calls_by_status ON calls (status);

-- A move is one lift of one container by one crane.
CREATE TABLE moves (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id   INTEGER NOT NULL REFERENCES calls (id),
  container TEXT NOT NULL, -- ISO 6346, with its check digit
  kind      TEXT NOT NULL CHECK (kind IN ('discharge', 'load', 'shift')),
  crane     TEXT NOT NULL,
  weight_kg INTEGER NOT NULL,
  moved_at  TEXT NOT NULL
);
CREATE INDEX moves_by_call ON moves (call_id);

-- A container that is in the port, or was a while ago.
CREATE TABLE containers (
  no         TEXT PRIMARY KEY NOT NULL, -- ISO 6346, with its check digit
  iso_type   TEXT NOT NULL,             -- 22G1: 20 feet, 45R1: refrigerated
  tare_kg    INTEGER NOT NULL,
  setpoint_c REAL,                      -- of a refrigerated one
  way        TEXT NOT NULL CHECK (way IN ('import', 'export', 'transshipment')),
  port       TEXT NOT NULL REFERENCES ports (locode),
  in_at      TEXT NOT NULL,
  out_at     TEXT                       -- null while it is in the yard
);

CREATE TABLE gates (
  id    TEXT PRIMARY KEY NOT NULL,
  port  TEXT NOT NULL REFERENCES ports (locode),
  lanes INTEGER NOT NULL
);

CREATE TABLE trucks (
  plate   TEXT PRIMARY KEY NOT NULL,
  haulier TEXT NOT NULL
);

-- A visit is a truck's way in and out.
CREATE TABLE truck_visits (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  truck     TEXT NOT NULL REFERENCES trucks (plate),
  gate      TEXT NOT NULL REFERENCES gates (id),
  purpose   TEXT NOT NULL CHECK (purpose IN ('bring', 'fetch')),
  container TEXT NOT NULL,
  in_at     TEXT NOT NULL,
  out_at    TEXT -- null while it is on site
);

-- A container on hold does not leave by truck until customs release it.
CREATE TABLE customs_holds (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  container   TEXT NOT NULL,
  reason      TEXT NOT NULL,
  placed_at   TEXT NOT NULL,
  released_at TEXT
);
