"""ADBC's adbc_ingest by each of its modes, and executemany at Flight SQL's door: sys.argv[1] is that of PostgreSQL, sys.argv[2] that of Flight SQL."""
import datetime
import decimal
import sys

import adbc_driver_flightsql.dbapi as flight
import adbc_driver_postgresql.dbapi as postgres
import pyarrow


def is_(got, want):
    assert got == want, f"{got!r}, want {want!r}"


def ask(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def refused(run, *words):
    try:
        run()
    except Exception as error:
        assert any(w in str(error) for w in words), error
        return
    raise AssertionError("no error")


ROW = {
    "b": (pyarrow.bool_(), True), "i2": (pyarrow.int16(), -7), "i4": (pyarrow.int32(), 2147483647), "i8": (pyarrow.int64(), -(2**63)), "f4": (pyarrow.float32(), 1.5),
    "f8": (pyarrow.float64(), 0.1), "s": (pyarrow.string(), "é, \"it's\"\n"), "l": (pyarrow.large_string(), ""), "d": (pyarrow.date32(), datetime.date(2026, 1, 2)),
    "ts": (pyarrow.timestamp("us"), datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)),
    "tz": (pyarrow.timestamp("us", "UTC"), datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)), "y": (pyarrow.binary(), b"\x00\xff"),
}
MANY = 200_000


def numbers(begin, end, **more):
    return pyarrow.table({"n": pyarrow.array(range(begin, end), pyarrow.int64()), "s": [f"row {i}" for i in range(begin, end)], **more})


def ingest(connection, door, snapshots):
    columns = dict(ROW)
    if door == "flight":
        columns["x"] = (pyarrow.decimal128(10, 2), decimal.Decimal("1.50"))
    table = f"rows_{door}"
    schema = pyarrow.schema([(name, of) for name, (of, _) in columns.items()])
    typed = pyarrow.table({name: [value, None] for name, (_, value) in columns.items()}, schema=schema)
    with connection.cursor() as cursor:
        is_(cursor.adbc_ingest("typed_" + table, typed, mode="create"), 2)
    got = ask(connection, f"SELECT * FROM typed_{table} ORDER BY i4 NULLS LAST")
    is_(list(got[0]), [value for _, value in columns.values()])
    is_(list(got[1]), [None] * len(columns))

    with connection.cursor() as cursor:
        refused(lambda: cursor.adbc_ingest(table, numbers(0, 1), mode="append"), "there is no table", "does not exist")
        is_(cursor.adbc_ingest(table, numbers(0, MANY).to_reader(max_chunksize=10_000), mode="create"), MANY)
    is_(snapshots(table), 1)
    with connection.cursor() as cursor:
        refused(lambda: cursor.adbc_ingest(table, numbers(0, 1), mode="create"), "exists already", "already exists")
        is_(cursor.adbc_ingest(table, numbers(MANY, MANY + 10), mode="append"), 10)
        is_(cursor.adbc_ingest(table, numbers(MANY + 10, MANY + 20), mode="create_append"), 10)
        refused(lambda: cursor.adbc_ingest(table, numbers(0, 10, nope=["x"] * 10), mode="append"), "nope")
    is_(ask(connection, f"SELECT count(*), min(n), max(n), count(DISTINCT s) FROM {table}"), [(MANY + 20, 0, MANY + 19, MANY + 20)])
    is_(snapshots(table), 3)
    with connection.cursor() as cursor:
        is_(cursor.adbc_ingest(table, numbers(5, 8), mode="replace"), 3)
        is_(cursor.adbc_ingest(table + "_2", numbers(0, 3), mode="create_append", db_schema_name="own"), 3)
    is_(ask(connection, f"SELECT n, s FROM {table} ORDER BY n"), [(5, "row 5"), (6, "row 6"), (7, "row 7")])
    is_(ask(connection, f"SELECT count(*) FROM own.{table}_2"), [(3,)])


with flight.connect("grpc://" + sys.argv[2], autocommit=True) as f, postgres.connect(sys.argv[1], autocommit=True) as p:
    def snapshots(table):
        return ask(f, f"SELECT count(*) FROM system.snapshots WHERE layer = 'gold' AND name = '{table}'")[0][0]

    with p.cursor() as cursor:
        cursor.execute("CREATE SCHEMA own")
    ingest(f, "flight", snapshots)
    ingest(p, "postgres", snapshots)

    with f.cursor() as cursor:
        refused(lambda: cursor.adbc_ingest("x", pyarrow.table({"l": [[1]]}), mode="create"), "which a table of the lake cannot hold")
        no_text = pyarrow.Array.from_buffers(pyarrow.utf8(), 1, [None, pyarrow.py_buffer(b"\0\0\0\0\2\0\0\0"), pyarrow.py_buffer(b"a\xff")])
        cursor.adbc_ingest("texts", pyarrow.table({"s": ["a"]}), mode="create")
        refused(lambda: cursor.adbc_ingest("texts", pyarrow.table({"s": no_text}), mode="append"), "not valid utf8")
        is_(ask(f, "SELECT s FROM texts"), [("a",)])
        refused(lambda: cursor.adbc_ingest("x", numbers(0, 1), mode="create", temporary=True), "temporary")
        refused(lambda: cursor.adbc_ingest("x", numbers(0, 1_000_000), mode="create"), "larger than max")  # of the client itself, as of the door
        cursor.execute("CREATE TABLE many (id BIGINT NOT NULL, name VARCHAR, day DATE)")
        cursor.executemany("INSERT INTO many (name, id) VALUES (?, ?)", [(f"name {i}", i) for i in range(1000)])
        is_(snapshots("many"), 1)
        refused(lambda: cursor.executemany("INSERT INTO many VALUES ($2, $1, $3)", [("a", 1, None), ("b", None, None)]), "null")
        cursor.executemany("INSERT INTO many VALUES ($2, $1, $3)", [("a", 1000, datetime.date(2026, 1, 2)), ("b", 1001, None)])
        cursor.executemany("UPDATE many SET name = upper(name) WHERE id = ?", [(0,), (1,), (5000,)])
        refused(lambda: cursor.executemany("UPDATE many SET id = ? WHERE id = ?", [(7, 2), (None, 3)]), "row 2 of the values")
        cursor.execute("SELECT count(*), count(day), count(*) FILTER (name LIKE 'NAME%'), count(*) FILTER (id = 7) FROM many")
        is_(cursor.fetchall(), [(1002, 1, 2, 2)])
