#!/usr/bin/env python3
"""PyIceberg beside Tarn on one lake: pyiceberg_peer.py LAKE rows|append|delete TABLE [SNAPSHOT | JSON ROWS | FILTER]

LAKE is the folder that holds catalog.db and warehouse/. "rows" prints the rows of a table, one
JSON object a line, in forms that any engine can print: instants and times in microseconds, dates in days,
decimals and UUIDs as text, bytes in hexadecimal. "append" appends rows, given as a JSON list;
"delete" deletes those that a filter selects.

pyiceberg_peer.py serve does one command after another, a JSON object a line from stdin, and answers each
with a line: {"do": "rows" | "append" | "delete", "lake", "table", "snapshot", "rows", "id"}.
"""
import datetime
import decimal
import json
import os
import sys
import traceback
import uuid

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

MICROSECOND = datetime.timedelta(microseconds=1)
EPOCH = datetime.datetime(1970, 1, 1)


def plain(v):
    if isinstance(v, datetime.datetime):
        return (v.astimezone(datetime.timezone.utc).replace(tzinfo=None) - EPOCH if v.tzinfo else v - EPOCH) // MICROSECOND
    if isinstance(v, datetime.date):
        return (v - EPOCH.date()).days
    if isinstance(v, datetime.time):
        return (datetime.datetime.combine(EPOCH.date(), v) - EPOCH) // MICROSECOND
    if isinstance(v, bytes):
        return v.hex().upper()
    if isinstance(v, (decimal.Decimal, uuid.UUID)):
        return format(v, "f") if isinstance(v, decimal.Decimal) else str(v)
    return v


def catalog_of(lake):
    return SqlCatalog("tarn", uri=f"sqlite:///{lake}/catalog.db", warehouse=f"file://{lake}/warehouse", init_catalog_tables="false")


def done(command):
    catalog = catalog_of(os.path.abspath(command["lake"]))
    try:
        table = catalog.load_table(command["table"])
        if command["do"] == "append":
            table.append(pa.Table.from_pylist(command["rows"], schema=table.schema().as_arrow()))
        elif command["do"] == "delete":
            table.delete(f"id == {command['id']}")
        else:
            found = table.scan(snapshot_id=command["snapshot"] or None).to_arrow().to_pylist()
            return {"rows": [{k: plain(v) for k, v in row.items()} for row in found]}
        return {"snapshot": table.current_snapshot().snapshot_id}
    finally:
        catalog.engine.dispose()


def serve():
    for line in sys.stdin:
        try:
            answer = done(json.loads(line))
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


def main():
    if sys.argv[1] == "serve":
        return serve()
    lake, verb, name = sys.argv[1:4]
    table = catalog_of(os.path.abspath(lake)).load_table(name)
    if verb == "append":
        table.append(pa.Table.from_pylist(json.loads(sys.argv[4]), schema=table.schema().as_arrow()))
        return
    if verb == "delete":
        table.delete(sys.argv[4])
        return
    snapshot = int(sys.argv[4]) if len(sys.argv) > 4 else None
    for row in table.scan(snapshot_id=snapshot).to_arrow().to_pylist():
        print(json.dumps({k: plain(v) for k, v in row.items()}, ensure_ascii=False))


main()
