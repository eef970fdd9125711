"""What ADBC's driver for Flight SQL does, against the door at sys.argv[1]."""
import datetime
import decimal
import sys

import adbc_driver_flightsql.dbapi as flight
import pyarrow

uri = sys.argv[1]


def is_(got, want):
    assert got == want, f"{got!r}, want {want!r}"


with flight.connect(uri, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 42 AS n, 'é' AS s, DATE '2026-01-02' AS d, 1.50::DECIMAL(10,2) AS x, [1, NULL] AS l, {'a': 1} AS st, NULL AS z, "
            "'b'::ENUM('a', 'b') AS e, 170141183460469231731687303715884105727::HUGEINT AS h, INTERVAL 3 DAY AS iv, "
            "TIMESTAMPTZ '2026-01-02 03:04:05+02' AS tz, '\\x00\\xFF'::BLOB AS b, MAP {'k': 1} AS m"
        )
        row = cursor.fetch_arrow_table().to_pylist()[0]
        is_(
            row,
            {
                "n": 42, "s": "é", "d": datetime.date(2026, 1, 2), "x": decimal.Decimal("1.50"), "l": [1, None], "st": {"a": 1}, "z": None,
                "e": "b", "h": decimal.Decimal("170141183460469231731687303715884105727"), "iv": pyarrow.MonthDayNano([0, 3, 0]),
                "tz": datetime.datetime(2026, 1, 2, 1, 4, 5, tzinfo=datetime.timezone.utc), "b": b"\x00\xff", "m": [("k", 1)],
            },
        )
        values = [41, "x", datetime.date(2026, 1, 2), decimal.Decimal("1.5"), 2.5, True, b"\x00", None]
        cursor.execute("SELECT ? + 1, ?, ?, ?, ?, ?, ?, ?", values)
        is_(cursor.fetchall(), [tuple([42] + values[1:])])
        cursor.execute("SELECT i FROM range(500000) t(i)")
        table = cursor.fetch_arrow_table()
        is_(table.column(0).to_pylist(), list(range(500000)))
        assert table.column(0).num_chunks < 20, table.column(0).num_chunks
        cursor.execute("SELECT 1 WHERE false")
        is_(cursor.fetchall(), [])
        cursor.execute("SHOW TABLES")
        assert cursor.fetchall()
        is_(cursor.adbc_prepare("SELECT $1::INTEGER AS x").types, [pyarrow.int32()])
        is_(cursor.adbc_execute_schema("SELECT 1.5::DECIMAL(4, 1) AS a").field("a").type, pyarrow.decimal128(4, 1))
        try:
            cursor.execute("SELECT nope")
            raise AssertionError("no error")
        except flight.ProgrammingError as error:
            assert "nope" in str(error), error
    is_(connection.adbc_get_info()["vendor_name"], "Tarn")
    is_(connection.adbc_get_table_types(), ["TABLE", "VIEW"])
    objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    schemas = {s["db_schema_name"]: s["db_schema_tables"] for s in objects[0]["catalog_db_schemas"]}
    columns = [c["column_name"] for t in schemas["system"] if t["table_name"] == "tables" for c in t["table_columns"]]
    assert "snapshot_id" in columns, columns
    assert "snapshot_id" in connection.adbc_get_table_schema("tables", db_schema_filter="system").names

with flight.connect(uri, db_kwargs={"username": "amina", "password": "x"}, autocommit=True) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT \"user\", door FROM system.queries WHERE state = 'running'")
    is_(cursor.fetchall(), [("amina", "flight")])
