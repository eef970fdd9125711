#!/usr/bin/env python3
"""Reads a Tarn lake with PyIceberg: read_lake.py CATALOG_DB WAREHOUSE OUT

Writes each table's rows as OUT/<namespace>.<table>.arrow and prints one JSON object a
table: its name, the snapshot that was read, its rows, and per column the number of values
that are not null and, for whole numbers, the exact sum.
"""
import json
import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog


def column(a):
    out = {"count": a.length() - a.null_count}
    if pa.types.is_integer(a.type):
        # An int64 has up to 19 digits; the sum of many needs more than 64 bits.
        out["sum"] = str(pc.sum(a.cast(pa.decimal128(38, 0))).as_py() or 0)
    return out


def main():
    catalog_db, warehouse, out = sys.argv[1:]
    c = SqlCatalog("tarn", uri="sqlite:///" + os.path.abspath(catalog_db),
                   warehouse="file://" + os.path.abspath(warehouse), init_catalog_tables="false")
    for name in sorted(".".join(i) for n in c.list_namespaces() for i in c.list_tables(n)):
        t = c.load_table(name)
        snapshot = t.current_snapshot()
        if snapshot is None:
            continue
        rows = t.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
        with pa.OSFile(os.path.join(out, name + ".arrow"), "wb") as f, pa.ipc.new_stream(f, rows.schema) as w:
            w.write_table(rows)
        print(json.dumps({"table": name, "snapshot": str(snapshot.snapshot_id), "rows": rows.num_rows,
                          "format": t.format_version, "columns": {f: column(rows[f]) for f in rows.column_names}}))


main()
