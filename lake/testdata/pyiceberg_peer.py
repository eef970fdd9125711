#!/usr/bin/env python3
"""PyIceberg beside Tarn on one lake: pyiceberg_peer.py LAKE rows|append TABLE [SNAPSHOT | JSON ROWS]

LAKE is the folder that holds catalog.db and warehouse/. "rows" prints the rows of a table, one
JSON object a line, in forms that any engine can print: instants and times in microseconds, dates in days,
decimals and UUIDs as text, bytes in hexadecimal. "append" appends rows, given as a JSON list.
"""
import datetime
import decimal
import json
import os
import sys
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


def main():
    lake, verb, name = sys.argv[1:4]
    lake = os.path.abspath(lake)
    catalog = SqlCatalog("tarn", uri=f"sqlite:///{lake}/catalog.db", warehouse=f"file://{lake}/warehouse", init_catalog_tables="false")
    table = catalog.load_table(name)
    if verb == "append":
        table.append(pa.Table.from_pylist(json.loads(sys.argv[4]), schema=table.schema().as_arrow()))
        return
    snapshot = int(sys.argv[4]) if len(sys.argv) > 4 else None
    for row in table.scan(snapshot_id=snapshot).to_arrow().to_pylist():
        print(json.dumps({k: plain(v) for k, v in row.items()}, ensure_ascii=False))


main()
