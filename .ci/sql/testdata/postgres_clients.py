#!/usr/bin/env python3
"""Drives a PostgreSQL-wire server with the clients people use: pg_clients.py DSN

DSN as libpq knows it: "host=127.0.0.1 port=5432 user=u dbname=d". Reads the
rows of fixture.py. Prints "N passed, M failed" with the calls that failed.
"""
import datetime
import decimal
import sys

import psycopg
import psycopg2
import sqlalchemy as sa


passed, failed = 0, []


def check(name, f, want=None):
    """Passes when f() does not raise and, with want given, answers want (or satisfies it, if callable)."""
    global passed
    try:
        got = f()
        if want is not None and not (want(got) if callable(want) else got == want):
            raise AssertionError(f"answered {got!r}")
        passed += 1
        return got
    except Exception as x:
        failed.append(f"{name}: {type(x).__name__}: {' '.join(str(x).split())[:200]}")


def end():
    for f in failed:
        print("FAILED", f)
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


D = decimal.Decimal
ANN = (1, "ann", D("12.50"), datetime.datetime(2026, 1, 2, 3, 4, 5, 678901), datetime.date(2026, 1, 2), True, ["a", "b"])
COLS = "id, name, amt, ts, d, b, tags"


def with_psycopg2(dsn):
    c = psycopg2.connect(dsn)
    c.autocommit = True

    def q(s, a=None):
        cu = c.cursor()
        cu.execute(s, a)
        return cu.fetchall()

    check("psycopg2 parameter", lambda: q(f"select {COLS} from sales.orders where id = %s", (1,)), [ANN])
    check("psycopg2 null and quotes", lambda: q("select name, b, tags from sales.orders where id = 3"), [("çä\"'\\", None, None)])
    check("psycopg2 integer division", lambda: q("select 1/2"), [(0,)])
    check("psycopg2 description", lambda: (lambda cu: (cu.execute("select id, amt from sales.orders"), [d.type_code for d in cu.description])[1])(c.cursor()), [20, 1700])

    def error():
        try:
            q("select * from sales.nothing_here")
        except psycopg2.Error as e:
            return e.pgcode

    check("psycopg2 SQLSTATE of a missing table", error, "42P01")
    check("psycopg2 after an error", lambda: q("select 1"), [(1,)])
    c.autocommit = False

    def aborted():
        cu = c.cursor()
        try:
            cu.execute("select nope")
        except psycopg2.Error:
            pass
        try:
            cu.execute("select 1")
        except psycopg2.errors.InFailedSqlTransaction:
            c.rollback()
            return True

    check("psycopg2 failed transaction stays failed until rollback", aborted, True)
    c.close()


def with_psycopg3(dsn):
    c = psycopg.connect(dsn, autocommit=True)

    def q(s, a=None, **k):
        cu = c.cursor(**k)
        cu.execute(s, a)
        return cu.fetchall()

    check("psycopg3 text", lambda: q(f"select {COLS} from sales.orders where id = %s", (1,)), [ANN])
    check("psycopg3 binary", lambda: q(f"select {COLS} from sales.orders where id = %b", (1,), binary=True), [ANN])
    check("psycopg3 binary extremes", lambda: q("select amt, d from sales.orders where id in (2, 3) order by id", binary=True),
          [(D("-0.01"), datetime.date(1, 1, 1)), (D("99999999.99"), datetime.date(9999, 12, 31))])
    for type_, value in {"int2": 7, "int4": -7, "int8": 2**62, "float8": 1.5, "bool": True, "text": "é", "numeric": D("1.250"), "date": datetime.date(2026, 1, 2),
                         "timestamp": datetime.datetime(2026, 1, 2, 3, 4, 5, 6), "uuid": __import__("uuid").UUID(int=7), "bytea": b"\0\xff"}.items():
        for binary in (False, True):
            check(f"psycopg3 {type_} {'binary' if binary else 'text'} both ways",
                  lambda: q(f"select {'%b' if binary else '%t'}::{type_}", (value,), binary=binary)[0][0], lambda v: (bytes(v) if type_ == "bytea" else v) == value)
    from psycopg.types.json import Jsonb
    for binary in (False, True):
        check(f"psycopg3 jsonb {'binary' if binary else 'text'} both ways",
              lambda: c.cursor(binary=binary).execute(f"select {'%b' if binary else '%t'} as j, jsonb_build_object('bb', 1, 'a', 'x') as k", (Jsonb({"b": [1, None], "a": 2**53 + 1}),)).fetchall(),
              [({"b": [1, None], "a": 2**53 + 1}, {"bb": 1, "a": "x"})])
    check("psycopg3 jsonb has the type's number", lambda: c.execute("select '{}'::jsonb").description[0].type_code, 3802)
    check("psycopg3 prepared ten times", lambda: [c.execute("select id from sales.orders where id = %s", (i % 3 + 1,), prepare=True).fetchone()[0] for i in range(10)] == [i % 3 + 1 for i in range(10)], True)
    check("psycopg3 executemany with returned rows", lambda: q("select count(*) from sales.orders where name = any(%s)", (["ann", "bob"],)), [(2,)])
    check("psycopg3 several statements in one text", lambda: c.execute("select 1; select 2").nextset(), True)

    def pipeline():
        with c.pipeline():
            a, b = c.execute("select 1"), c.execute("select 2")
        return a.fetchone()[0], b.fetchone()[0]

    check("psycopg3 pipeline", pipeline, (1, 2))

    def declared():
        with c.transaction(), psycopg.ServerCursor(c, "far") as cu:
            cu.execute("select i from generate_series(1, 250) t(i)")
            cu.itersize = 100
            return sum(r[0] for r in cu)

    check("psycopg3 DECLARE CURSOR, FETCH", declared, 31375)

    def scrolled(of):
        with of.cursor("back", scrollable=True) as cu:
            cu.execute("select i from generate_series(1, 10) t(i)")
            three = cu.fetchmany(3)
            cu.scroll(-2)
            second = cu.fetchone()
            cu.scroll(9, mode="absolute")
            return three, second, cu.fetchall()

    def scrolled3():
        with c.transaction():
            return scrolled(c)

    def scrolled2():
        with psycopg2.connect(dsn) as old:
            return scrolled(old)

    for name, run in {"psycopg3": scrolled3, "psycopg2": scrolled2}.items():
        check(f"{name} cursor that scrolls", run, ([(1,), (2,), (3,)], (2,), [(10,)]))

    def copy(sql):
        with c.cursor().copy(sql) as cp:
            return b"".join(bytes(b) for b in cp)

    check("COPY table TO STDOUT", lambda: copy("copy sales.orders to stdout").split(b"\n")[0], b"1\tann\t12.50\t2026-01-02 03:04:05.678901\t2026-01-02\tt\t{a,b}")
    check("COPY query TO STDOUT, CSV with header", lambda: copy("copy (select id, name from sales.orders where id = 1) to stdout with (format csv, header)"), b"id,name\n1,ann\n")

    def copy_binary():
        with c.cursor().copy("copy (select id from sales.orders order by id) to stdout (format binary)") as cp:
            cp.set_types(["int8"])
            return [r[0] for r in cp.rows()]

    check("COPY TO STDOUT, binary", copy_binary, [1, 2, 3])

    def copied_in():
        c.execute("create schema loaded")
        c.execute("create table loaded.t (id bigint, name varchar, d date)")
        with c.cursor() as cu:
            with cu.copy("copy loaded.t (id, name, d) from stdin") as cp:
                for i in range(3000):
                    cp.write_row((i, f"row\t{i}", datetime.date(2026, 1, 2)))
            tag = cu.statusmessage
            with cu.copy("copy loaded.t (id, name, d) from stdin (format binary)") as cp:
                cp.set_types(["int8", "text", "date"])
                for i in range(3000, 3010):
                    cp.write_row((i, None, datetime.date(1999, 12, 31)))
        return tag, q("select count(*), min(d), max(id), max(name) from loaded.t")

    check("COPY FROM STDIN, text and binary", copied_in, ("COPY 3000", [(3010, datetime.date(1999, 12, 31), 3009, "row\t999")]))

    def refused():
        try:
            with c.cursor().copy("copy loaded.t (id) from stdin") as cp:
                cp.write("1\n2\nx\n")
        except psycopg.errors.InvalidTextRepresentation as e:
            return e.diag.context, q("select count(*) from loaded.t")

    check("COPY FROM STDIN of a bad row", refused, ("COPY t, line 3, column id", [(3010,)]))

    def given_up():
        try:
            with c.cursor().copy("copy loaded.t (id) from stdin") as cp:
                cp.write("1\n")
                raise KeyError
        except KeyError:
            return q("select count(*) from loaded.t")

    check("COPY FROM STDIN that its client gives up", given_up, [(3010,)])

    def expert():
        import io
        with psycopg2.connect(dsn) as old:
            old.autocommit = True
            cu = old.cursor()
            cu.copy_expert("copy loaded.t (id, name) from stdin with (format csv, header)", io.StringIO('id,name\n9000,"a, b"\n'))
            return cu.rowcount, q("select name from loaded.t where id = 9000")

    check("psycopg2 copy_expert", expert, (1, [("a, b",)]))

    def uuids():
        import uuid
        one = uuid.uuid4()
        c.execute("create table loaded.u (id uuid, n int)")
        c.execute("insert into loaded.u values (%s, 1)", (one,))
        return q("select id from loaded.u") == q("select id from loaded.u where n = %s", (1,)) == q("select id from loaded.u", binary=True) == [(one,)]

    check("psycopg3 UUID with and without parameters", uuids, True)

    def held():
        with psycopg.connect(dsn, autocommit=True) as other, other.cursor("h", withhold=True) as cu:
            cu.execute("select i from generate_series(1, 5000) g(i) order by i")
            return cu.fetchone()[0], sum(r[0] for r in cu)

    check("psycopg3 cursor WITH HOLD", held, (1, 12502499))

    def listened():
        import json
        with psycopg.connect(dsn, autocommit=True) as ear:
            ear.execute('listen "loaded.t"')
            ear.execute("listen words")
            with c.cursor() as cu, cu.copy("copy loaded.t (id) from stdin") as cp:
                cp.write("9001\n9002\n")
            commit = next(ear.notifies(timeout=60, stop_after=1))
            with psycopg.connect(dsn) as said:  # commits at its end
                said.execute("select pg_notify(%s, %s)", ("words", "hé"))
                pid = said.info.backend_pid
            word = next(ear.notifies(timeout=60, stop_after=1))
            told = json.loads(commit.payload)
            snapshot = int(told.pop("snapshot_id"))
            same = ear.execute("select snapshot_id = %s from system.snapshots where layer = 'loaded' and name = 't' order by committed_at desc limit 1", (snapshot,)).fetchone()
            listening = [r[0] for r in ear.execute("select pg_listening_channels()")]
            return commit.channel, told, same, (word.channel, word.payload, word.pid == pid), listening

    check("psycopg3 LISTEN to a table and to words", listened,
          ("loaded.t", {"table": "loaded.t", "added_rows": 2, "deleted_rows": 0, "commits": 1}, (True,), ("words", "hé", True), ["loaded.t", "words"]))

    def listened2():
        import select
        old = psycopg2.connect(dsn)  # not by with, which begins a transaction
        old.autocommit = True
        old.cursor().execute("listen words")
        c.execute("notify words, 'two'")
        select.select([old], [], [], 60)
        old.poll()
        told = [(n.channel, n.payload) for n in old.notifies]
        old.close()
        return told

    check("psycopg2 LISTEN", listened2, [("words", "two")])

    def cancel():
        import threading
        threading.Timer(0.5, c.cancel).start()
        try:
            c.execute("select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b")
        except psycopg.errors.QueryCanceled:
            return c.execute("select 1").fetchone()

    check("psycopg3 cancel", cancel, (1,))
    for s in ("show server_version", "show transaction isolation level", "select version()", "select current_schema()", "select current_database()", "select pg_backend_pid()",
              "discard all", "set client_encoding to 'UTF8'", "set extra_float_digits = 3", "set application_name = 'x'", "show search_path", "begin", "rollback"):
        check(s, lambda: c.execute(s) and True)
    c.close()


def with_sqlalchemy(dsn):
    d = psycopg.conninfo.conninfo_to_dict(dsn)
    for driver in ("psycopg2", "psycopg"):
        url = sa.URL.create(f"postgresql+{driver}", d.get("user"), d.get("password"), d.get("host"), int(d.get("port", 5432)), d.get("dbname"),
                            {k: v for k, v in d.items() if k in ("sslmode", "sslrootcert")})
        e = sa.create_engine(url)
        if not check(f"sqlalchemy {driver} connect", lambda: e.connect().execute(sa.text("select 1")).fetchall(), [(1,)]):
            continue
        i = sa.inspect(e)
        for method, args, want in (
            ("get_schema_names", (), lambda r: "sales" in r),
            ("get_table_names", ("sales",), ["orders"]),
            ("get_view_names", ("sales",), ["v"]),
            ("get_columns", ("orders", "sales"), lambda r: [c["name"] for c in r] == COLS.split(", ") and isinstance(r[0]["type"], sa.BIGINT) and isinstance(r[2]["type"], sa.NUMERIC) and r[2]["type"].scale == 2),
            ("get_pk_constraint", ("orders", "sales"), lambda r: r["constrained_columns"] == ["id"]),
            ("get_foreign_keys", ("orders", "sales"), []),
            ("get_indexes", ("orders", "sales"), []),
            ("get_unique_constraints", ("orders", "sales"), []),
            ("get_check_constraints", ("orders", "sales"), []),
            ("has_table", ("orders", "sales"), True),
            ("get_view_definition", ("v", "sales"), lambda r: "orders" in r),
            ("get_table_comment", ("orders", "sales"), {"text": "orders of the shop"}),
            ("get_sequence_names", ("sales",), []),
        ):
            check(f"sqlalchemy {driver} {method}", lambda: getattr(i, method)(*args), want)
        check(f"sqlalchemy {driver} reflect and select", lambda: e.connect().execute(sa.select(sa.Table("orders", sa.MetaData(), schema="sales", autoload_with=e)).order_by("id")).first()[:2], (1, "ann"))
        e.dispose()


if __name__ == "__main__":
    for f in (with_psycopg2, with_psycopg3, with_sqlalchemy):
        check(f.__name__, lambda: f(sys.argv[1]) or True)
    end()
