"""What Superset asks of a database, by the engine specs of Superset itself: superset_specs.py POSTGRES TRINO, each a URL of SQLAlchemy.

Reads the rows of fixture.py. Prints "N passed, M failed" with the calls that failed.
"""
import datetime
import logging
import os
import re
import sys
import tempfile
import threading
import time

folder = tempfile.TemporaryDirectory()
with open(os.path.join(folder.name, "superset_config.py"), "w") as f:
    f.write(
        "SECRET_KEY = 'only for this run, which serves nobody'\n"
        f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{folder.name}/superset.db'\n"
        "DB_POLL_INTERVAL_SECONDS = {'trino': 0.05}\n"
        "FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = {'CACHE_TYPE': 'SimpleCache'}\n"
    )
os.environ.update(SUPERSET_CONFIG_PATH=os.path.join(folder.name, "superset_config.py"), SUPERSET_HOME=folder.name)
logging.disable(logging.ERROR)

from superset.app import create_app  # noqa: E402

app = create_app()
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
        failed.append(f"{name}: {type(x).__name__}: {' '.join(str(x).split())[:300]}")
        print("FAILED", failed[-1], flush=True)


# The times that each grain makes of 2026-01-02 03:04:05.678901, a Friday.
GRAINS = {
    None: "2026-01-02 03:04:05.678901",
    "PT1S": "2026-01-02 03:04:05", "PT5S": "2026-01-02 03:04:05", "PT30S": "2026-01-02 03:04:00", "PT1M": "2026-01-02 03:04:00",
    "PT5M": "2026-01-02 03:00:00", "PT10M": "2026-01-02 03:00:00", "PT15M": "2026-01-02 03:00:00", "PT30M": "2026-01-02 03:00:00",
    "PT0.5H": "2026-01-02 03:00:00", "PT1H": "2026-01-02 03:00:00", "PT6H": "2026-01-02 00:00:00", "P1D": "2026-01-02 00:00:00",
    "P1W": "2025-12-29 00:00:00", "P1M": "2026-01-01 00:00:00", "P3M": "2026-01-01 00:00:00", "P1Y": "2026-01-01 00:00:00",
    "1969-12-28T00:00:00Z/P1W": "2025-12-28 00:00:00", "1969-12-29T00:00:00Z/P1W": "2025-12-29 00:00:00",
    "P1W/1970-01-03T00:00:00Z": "2026-01-03 00:00:00", "P1W/1970-01-04T00:00:00Z": "2026-01-04 00:00:00",
}
LONG = "SELECT count(*) FROM (SELECT 1 FROM {numbers} a CROSS JOIN {numbers} b CROSS JOIN {numbers} c)"


def engine_spec(name, url, catalog, dated, numbers):
    from superset.models.core import Database
    from superset.sql.parse import Table
    from sqlalchemy.sql import column as named

    database = Database(database_name=name, sqlalchemy_uri="sqlite://")
    database.set_sqlalchemy_uri(url)
    spec = database.db_engine_spec
    orders = Table("orders", "sales", catalog)

    def rows(sql):
        with database.get_raw_connection(catalog=catalog, schema="sales") as c:
            cursor = c.cursor()
            spec.execute(cursor, sql, database)
            return spec.fetch_data(cursor)

    def cell(sql):
        return rows(sql)[0][0]

    def plain(value):  # a time as it is written, without the fraction that it has not
        return re.sub(r"(\.\d*?)0*$", r"\1", str(value)).rstrip(".") if "." in str(value) else str(value)

    with database.get_inspector(catalog=catalog, schema="sales") as inspector:
        check(f"{name} get_catalog_names", lambda: spec.get_catalog_names(database, inspector), lambda got: catalog in got)
        check(f"{name} get_default_catalog", lambda: spec.get_default_catalog(database), catalog)
        check(f"{name} get_schema_names", lambda: spec.get_schema_names(inspector), lambda got: {"sales", "silver", "gold"} <= got)
        check(f"{name} get_table_names", lambda: spec.get_table_names(database, inspector, "sales"), {"orders"})
        check(f"{name} get_view_names", lambda: spec.get_view_names(database, inspector, "sales"), {"v"})
        check(f"{name} get_indexes", lambda: spec.get_indexes(database, inspector, orders), lambda got: isinstance(got, list))
        check(f"{name} get_table_comment", lambda: spec.get_table_comment(inspector, orders), "orders of the shop" if name == "postgres" else None)
        columns = check(f"{name} get_columns", lambda: spec.get_columns(inspector, orders), lambda got: [c["column_name"] for c in got] == ["id", "name", "amt", "ts", "d", "b", "tags"])
        types = [spec.get_column_spec(str(c["type"])) for c in columns or []]
        check(f"{name} get_column_spec", lambda: [t and t.generic_type.name for t in types], ["NUMERIC", "STRING", "NUMERIC", "TEMPORAL", "TEMPORAL", "BOOLEAN", "STRING"])
        check(f"{name} get_metrics", lambda: spec.get_metrics(database, inspector, orders))
    check(f"{name} get_all_catalog_names", database.get_all_catalog_names, lambda got: catalog in got)
    check(f"{name} get_all_table_names_in_schema", lambda: {t.table for t in map(lambda t: Table(*t), database.get_all_table_names_in_schema(catalog, "sales"))}, {"orders"})
    check(f"{name} has_table, has_view", lambda: (database.has_table(orders), database.has_view(Table("v", "sales", catalog)), database.has_table(Table("nothing", "sales", catalog))), (True, True, False))
    check(f"{name} get_default_schema", lambda: database.get_default_schema(catalog))
    check(f"{name} get_pk_constraint", lambda: database.get_pk_constraint(orders))
    check(f"{name} get_extra_table_metadata", lambda: spec.get_extra_table_metadata(database, orders), lambda got: isinstance(got, dict))
    check(f"{name} get_function_names", lambda: spec.get_function_names(database), lambda got: isinstance(got, list))

    with database.get_sqla_engine(catalog=catalog, schema="sales") as engine:
        for show in (False, True):
            text = check(f"{name} select_star", lambda: spec.select_star(database, orders, engine.dialect, show_cols=show, cols=columns))
            check(f"{name} select_star runs", lambda: len(rows(text)), 3)
    check(f"{name} get_df", lambda: database.get_df("SELECT id, amt FROM sales.orders ORDER BY id", catalog, "sales").to_dict("list")["id"], [1, 2, 3])

    # Each grain over the column, as an expression and as Superset has it in a statement.
    for grain in spec.get_time_grain_expressions():
        def over(grain=grain):
            expression = spec.get_timestamp_expr(named("ts"), None, grain)
            return plain(cell(f"SELECT {expression.compile(compile_kwargs={'literal_binds': True})} FROM sales.orders WHERE id = 1"))
        check(f"{name} grain {grain}", over, GRAINS[grain])
    check(f"{name} epoch_to_dttm", lambda: plain(cell("SELECT " + spec.epoch_to_dttm().format(col="x") + " FROM (SELECT 1767323045 AS x) t")), lambda got: got.startswith("2026-01-02 03:04:05"))
    check(f"{name} epoch_ms_to_dttm", lambda: plain(cell("SELECT " + spec.epoch_ms_to_dttm().format(col="x") + " FROM (SELECT 1767323045000 AS x) t")), lambda got: got.startswith("2026-01-02 03:04:05"))
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)
    for type_, wanted in (("DATE", "2026-01-02"), (dated, "2026-01-02 03:04:05.678")):
        text = check(f"{name} convert_dttm {type_}", lambda: spec.convert_dttm(type_, at), str)
        check(f"{name} convert_dttm {type_} runs", lambda: plain(cell(f"SELECT {text}")), lambda got: got.startswith(wanted))
    check(f"{name} convert_dttm in a filter", lambda: cell(f"SELECT count(*) FROM sales.orders WHERE ts >= {spec.convert_dttm(dated, at)}"), 2)

    # What errors say: the custom ones are found by their texts, by which Superset explains them. Trino's are those of Presto's spec.
    from superset.db_engine_specs.presto import PrestoEngineSpec
    presto = spec if name == "postgres" else PrestoEngineSpec

    def explained(sql):
        try:
            rows(sql)
        except Exception as x:
            said = spec.extract_error_message(x)
            return [e.error_type.name for by in (spec, presto) for e in by.extract_errors(x) + by.extract_errors(Exception(said))]
        raise AssertionError("no error")

    check(f"{name} wrong column", lambda: explained("SELECT nope FROM sales.orders"), lambda got: "COLUMN_DOES_NOT_EXIST_ERROR" in got)
    if name == "postgres":
        check(f"{name} wrong syntax", lambda: explained("SELEC 1"), lambda got: "SYNTAX_ERROR" in got)
        check(f"{name} wrong table", lambda: explained("SELECT * FROM sales.nothing"))
        check(f"{name} get_datatype", lambda: [spec.get_datatype(c) for c in described(database, catalog)], lambda got: None not in got)
    else:
        check(f"{name} wrong table", lambda: explained("SELECT * FROM sales.nothing"), lambda got: "TABLE_DOES_NOT_EXIST_ERROR" in got)

    def unknown():
        other = Database(database_name=name, sqlalchemy_uri="sqlite://")
        other.set_sqlalchemy_uri(url.replace("/lake", "/nowhere"))
        try:
            with other.get_raw_connection() as c:
                cursor = c.cursor()
                cursor.execute("SELECT * FROM orders")
                cursor.fetchall()
        except Exception as x:
            return [e.error_type.name for e in spec.extract_errors(x)]
        raise AssertionError("no error")

    check(f"{name} wrong database", unknown, ["CONNECTION_UNKNOWN_DATABASE_ERROR" if name == "postgres" else "GENERIC_DB_ENGINE_ERROR"])

    def estimate():
        cost = spec.estimate_query_cost(database, catalog, "sales", "SELECT * FROM sales.orders")
        return spec.query_cost_formatter(cost)

    check(f"{name} estimate_query_cost", estimate, lambda got: len(got) == 1)
    cancel(name, database, spec, catalog, LONG.format(numbers=numbers))
    return database, spec


def described(database, catalog):
    with database.get_raw_connection(catalog=catalog) as c:
        cursor = c.cursor()
        cursor.execute("SELECT id, name, amt, ts, d, b FROM sales.orders")
        return [d[1] for d in cursor.description]


def cancel(name, database, spec, catalog, long):
    """A statement that SQL Lab runs is followed by its cursor, and ended from another connection."""
    from superset import db
    from superset.models.sql_lab import Query

    db.session.add(database)
    db.session.commit()
    query = Query(client_id=name[:11], database=database, sql="SELECT 1", status="running")
    db.session.add(query)
    db.session.commit()

    with database.get_raw_connection(catalog=catalog) as c:
        cursor = c.cursor()
        with app.test_request_context():
            check(f"{name} execute_with_cursor", lambda: spec.execute_with_cursor(cursor, "SELECT count(*) FROM sales.orders", query))
        check(f"{name} its rows", lambda: spec.fetch_data(cursor), lambda got: got[0][0] == 3)
        if name == "trino":
            check(f"{name} progress", lambda: query.extra.get("cancel_query"), str)
            check(f"{name} tracking url", lambda: query.tracking_url)

    with database.get_raw_connection(catalog=catalog) as c:
        cursor = c.cursor()
        told = {"id": None if name == "trino" else spec.get_cancel_query_id(cursor, query), "error": None}

        def run():
            try:
                cursor.execute(long)
                cursor.fetchall()
            except Exception as x:
                told["error"] = x

        running = threading.Thread(target=run, daemon=True)
        running.start()
        deadline = time.monotonic() + 120
        while name == "trino" and not cursor.query_id and time.monotonic() < deadline:
            time.sleep(0.05)
        if name == "trino":
            told["id"] = cursor.query_id
        else:
            with database.get_raw_connection(catalog=catalog) as other:
                look = other.cursor()
                look.execute("SELECT count(*) FROM system.queries WHERE state = 'running' AND statement LIKE '%CROSS JOIN%'")
                while not look.fetchone()[0] and time.monotonic() < deadline:
                    time.sleep(0.05)
                    look.execute("SELECT count(*) FROM system.queries WHERE state = 'running' AND statement LIKE '%CROSS JOIN%'")
        with database.get_raw_connection(catalog=catalog) as other:
            look = other.cursor()
            check(f"{name} cancel_query", lambda: spec.cancel_query(look, query, told["id"]), True)
        running.join(60)
        check(f"{name} was cancelled", lambda: (running.is_alive(), told["error"] is not None), (False, True))


with app.app_context():
    from flask_appbuilder import Model
    from superset import db

    Model.metadata.create_all(db.engine)
    engine_spec("postgres", sys.argv[1], "lake", "TIMESTAMP WITHOUT TIME ZONE", "generate_series(1, 100000)")
    engine_spec("trino", sys.argv[2], "lake", "TIMESTAMP(6)", "unnest(sequence(1, 100000))")

print(f"{passed} passed, {len(failed)} failed")
sys.stdout.flush()
os._exit(1 if failed else 0)  # threads of cancelled statements may still wait
