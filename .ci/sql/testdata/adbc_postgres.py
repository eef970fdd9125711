"""What ADBC's driver for PostgreSQL does, against the door at sys.argv[1], over the rows of fixture.py."""
import datetime
import decimal
import sys

import adbc_driver_postgresql.dbapi as postgres
import pyarrow

uri = sys.argv[1]


def is_(got, want):
    assert got == want, f"{got!r}, want {want!r}"


def ask(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


# Expressions with the Arrow type that the driver makes of their type in PostgreSQL, and their value. numeric is a text to it.
VALUES = [
    ("true", pyarrow.bool_(), True), ("1::SMALLINT", pyarrow.int16(), 1), ("1::INTEGER", pyarrow.int32(), 1), ("1::BIGINT", pyarrow.int64(), 1),
    ("1.5::REAL", pyarrow.float32(), 1.5), ("1.5::DOUBLE PRECISION", pyarrow.float64(), 1.5), ("'é'", pyarrow.string(), "é"),
    ("DATE '2026-01-02'", pyarrow.date32(), datetime.date(2026, 1, 2)), ("TIME '03:04:05.5'", pyarrow.time64("us"), datetime.time(3, 4, 5, 500000)),
    ("TIMESTAMP '2026-01-02 03:04:05'", pyarrow.timestamp("us"), datetime.datetime(2026, 1, 2, 3, 4, 5)),
    ("TIMESTAMPTZ '2026-01-02 03:04:05+02'", pyarrow.timestamp("us", "UTC"), datetime.datetime(2026, 1, 2, 1, 4, 5, tzinfo=datetime.timezone.utc)),
    ("INTERVAL '14 months 3 days'", pyarrow.month_day_nano_interval(), pyarrow.MonthDayNano([14, 3, 0])), ("NULL::INTEGER", pyarrow.int32(), None),
    ("ARRAY[1, NULL, 3]", pyarrow.list_(pyarrow.int32()), [1, None, 3]), ("ARRAY['a', 'b']", pyarrow.list_(pyarrow.string()), ["a", "b"]),
]

with postgres.connect(uri, autocommit=True) as connection:
    is_(connection.adbc_get_info()["vendor_name"], "PostgreSQL")
    for expression, of, value in VALUES:
        column = ask(connection, f"SELECT {expression} AS x").column("x")
        assert column.type == of or pyarrow.types.is_list(of) and column.type.value_type == of.value_type, f"{expression}: {column.type}"
        is_(column.to_pylist(), [value])
    is_([decimal.Decimal(x) for x in ask(connection, "SELECT 1.50::NUMERIC(10, 2) AS x").column("x").to_pylist()], [decimal.Decimal("1.50")])
    is_(ask(connection, "SELECT $1::INTEGER + 1 AS a, $2::TEXT AS b", [41, "x"]).to_pylist(), [{"a": 42, "b": "x"}])
    orders = ask(connection, "SELECT id, name, ts, d, b, tags FROM sales.orders ORDER BY id").to_pylist()
    is_(orders[0], {"id": 1, "name": "ann", "ts": datetime.datetime(2026, 1, 2, 3, 4, 5, 678901), "d": datetime.date(2026, 1, 2), "b": True, "tags": ["a", "b"]})
    is_(len(orders), 3)
    is_(ask(connection, "SELECT i FROM generate_series(0, 199999) t(i)").column("i").to_pylist(), list(range(200000)))
    is_(ask(connection, "SELECT 1 AS a WHERE false").num_rows, 0)

    is_(connection.adbc_get_table_types() != [], True)
    objects = connection.adbc_get_objects(depth="all", db_schema_filter="sales").read_all().to_pylist()
    schemas = {s["db_schema_name"]: s["db_schema_tables"] for c in objects for s in c["catalog_db_schemas"] or []}
    tables = {t["table_name"]: t for t in schemas["sales"]}
    is_([c["column_name"] for c in sorted(tables["orders"]["table_columns"], key=lambda c: c["ordinal_position"])], ["id", "name", "amt", "ts", "d", "b", "tags"])
    is_([c["constraint_column_names"] for c in tables["orders"]["table_constraints"]], [["id"]])
    for depth in ("catalogs", "db_schemas", "tables"):
        assert connection.adbc_get_objects(depth=depth).read_all().num_rows
    is_(connection.adbc_get_table_schema("orders", db_schema_filter="sales").names, ["id", "name", "amt", "ts", "d", "b", "tags"])
    is_(connection.adbc_current_catalog, "lake")
    connection.adbc_current_db_schema = "sales"
    is_(connection.adbc_current_db_schema, "sales")
    is_(ask(connection, "SELECT count(*) AS n FROM orders").to_pylist(), [{"n": 3}])
    with connection.cursor() as cursor:
        is_(cursor.adbc_prepare("SELECT $1::BIGINT AS a").types, [pyarrow.int64()])
        is_(cursor.adbc_execute_schema("SELECT 1::INTEGER AS a, 'x' AS b").types, [pyarrow.int32(), pyarrow.string()])
        cursor.executemany("SELECT $1::BIGINT", [(1,), (2,)])
    try:
        ask(connection, "SELECT nope FROM sales.orders")
        raise AssertionError("no error")
    except postgres.ProgrammingError as error:
        is_(error.sqlstate, "42703")
        assert 'column "nope" does not exist' in str(error), error
    is_(ask(connection, "SELECT 1 AS a").to_pylist(), [{"a": 1}])

with postgres.connect(uri) as connection:
    is_(ask(connection, "SELECT 1 AS a").to_pylist(), [{"a": 1}])
    connection.commit()
