"""What programs ask of Trino's Python client and its SQLAlchemy dialect. Arguments: HOST PORT."""

import datetime
import decimal
import math
import sys

import sqlalchemy as sa
import trino

host, port = sys.argv[1], int(sys.argv[2])
failed = []
passed = 0


def check(name, call, want):
    global passed
    try:
        got = call()
        if want(got) if callable(want) else got == want:
            passed += 1
            return
        failed.append(f"{name}: {got!r}")
    except Exception as e:
        failed.append(f"{name}: {type(e).__name__} {e}")


conn = trino.dbapi.connect(host=host, port=port, user="me", catalog="lake", schema="silver")


def rows(sql, params=None):
    cursor = conn.cursor()
    cursor.execute(sql, params) if params else cursor.execute(sql)
    return cursor.fetchall()


def one(sql, params=None):
    return rows(sql, params)[0][0]


def error(sql):
    try:
        rows(sql)
    except trino.exceptions.TrinoQueryError as e:
        return e.error_name


def described():
    cursor = conn.cursor()
    cursor.execute("select id, cast(1.5 as decimal(10,2)) as amount from calls limit 1")
    cursor.fetchall()
    return [d[:2] for d in cursor.description]


def canceled():
    cursor = conn.cursor()
    cursor.execute("select a.i from unnest(sequence(1, 10000)) a(i), unnest(sequence(1, 10000)) b(i)")
    cursor.cancel()
    return one("select 1")


check("a silver table", lambda: rows("select id, port, berth from calls order by id limit 3"), lambda r: len(r) == 3)
check("by its full name", lambda: one('select count(*) from "lake"."silver"."calls"'), lambda n: n > 10)
check("parameters", lambda: one("select count(*) from calls where id > ? and port <> ?", (0, "it's none")), lambda n: n > 10)
check("many pages", lambda: len(rows("select i, lpad('x', 200, 'x') from unnest(sequence(1, 20000)) as t(i)")), 20000)
check("description", described, [("id", "bigint"), ("amount", "decimal(10, 2)")])
check("cancel", canceled, 1)
check("catalogs", lambda: rows("show catalogs"), [["lake"], ["system"]])
check("tables", lambda: rows("show tables"), lambda r: ["calls"] in r)
check("describe", lambda: rows("describe calls"), lambda r: r[0][:2] == ["id", "bigint"])
check("explain", lambda: one("explain select id from calls"), lambda t: "READ" in t)
for sql, want in {
    "select timestamp '2026-01-02 03:04:05.678901'": datetime.datetime(2026, 1, 2, 3, 4, 5, 678901),
    "select timestamp '2026-01-02 03:04:05 UTC'": lambda v: v.tzinfo is not None,
    "select date '2026-01-02' + interval '1' day": datetime.date(2026, 1, 3),
    "select decimal '1.50'": decimal.Decimal("1.50"),
    "select nan()": math.isnan,
    "select x'65'": b"e",
    "select array[1, null]": [1, None],
    "select map(array['a'], array[1])": {"a": 1},
    "select cast(row(1, 'a') as row(x bigint, y varchar))": (1, "a"),
    "select row(1, 'a')": (1, "a"),
    "select 7/2": 3,
    "select typeof(sum(id)) from calls": "bigint",
    "select listagg(x, ',') within group (order by x) from (values ('b'), ('a')) t(x)": "a,b",
    "execute immediate 'select ? + 1' using 1": 2,
}.items():
    check(sql, lambda: one(sql), want)
for sql, want in {
    "select * from nothing": "TABLE_NOT_FOUND", "select nope from calls": "COLUMN_NOT_FOUND", "selec 1": "SYNTAX_ERROR",
    "select 1/0": "DIVISION_BY_ZERO", "insert into calls (id) values (1)": "NOT_SUPPORTED",
}.items():
    check(sql, lambda: error(sql), want)

engine = sa.create_engine(f"trino://me@{host}:{port}/lake/silver")
inspector = sa.inspect(engine)
for method, args, want in (
    ("get_schema_names", (), lambda r: "silver" in r),
    ("get_table_names", ("silver",), lambda r: "calls" in r),
    ("get_view_names", ("gold",), lambda r: len(r) > 0),
    ("get_view_definition", ("berth_productivity", "gold"), lambda r: "select" in r.lower()),
    ("get_columns", ("calls", "silver"), lambda r: r[0]["name"] == "id" and isinstance(r[0]["type"], sa.BIGINT)),
    ("has_table", ("calls", "silver"), True),
    ("has_table", ("nothing", "silver"), False),
    ("get_indexes", ("calls", "silver"), []),
    ("get_table_comment", ("calls", "silver"), {"text": None}),
):
    check(f"sqlalchemy {method}", lambda: getattr(inspector, method)(*args), want)
calls = sa.Table("calls", sa.MetaData(), autoload_with=engine, schema="silver")
with engine.connect() as c:
    check("sqlalchemy select", lambda: c.execute(sa.select(calls.c.id).where(calls.c.port != sa.bindparam("p")).limit(2), {"p": "none"}).fetchall(), lambda r: len(r) == 2)

for f in failed:
    print("FAILED", f)
print(f"{passed} passed, {len(failed)} failed")
sys.exit(1 if failed else 0)
