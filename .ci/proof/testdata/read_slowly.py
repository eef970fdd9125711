#!/usr/bin/env python3
"""Reads the current snapshot of a table for a long time, as a slow job does:
read_slowly.py CATALOG_DB WAREHOUSE TABLE HOW SECONDS OUT

HOW is `files`, which plans once and then reads one file after the other, or `scans`, which
scans the same snapshot over and over. Says as JSON which snapshot it is and of how many files once that
is known, and writes the rows that it has read last as an Arrow stream to OUT. When stdin ends it goes on
without its pauses.
"""
import json
import os
import select
import sys
import time

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan

SCANS = 12


def pause(seconds):
    select.select([sys.stdin], [], [], max(0, seconds))


def main():
    catalog_db, warehouse, name, how, seconds, out = sys.argv[1:]
    c = SqlCatalog("tarn", uri="sqlite:///" + os.path.abspath(catalog_db),
                   warehouse="file://" + os.path.abspath(warehouse), init_catalog_tables="false")
    t = c.load_table(name)
    scan = t.scan(snapshot_id=t.current_snapshot().snapshot_id)
    tasks = list(scan.plan_files())
    print(json.dumps({"snapshot": str(scan.snapshot_id), "files": len(tasks)}), flush=True)
    steps = max(1, len(tasks)) if how == "files" else SCANS
    rows, counts, began = [], set(), time.monotonic()
    for i in range(steps):
        pause(float(seconds) * (i + 1) / steps - (time.monotonic() - began))
        if how == "files" and tasks:
            reader = ArrowScan(t.metadata, t.io, scan.projection(), AlwaysTrue())
            rows.append(reader.to_table([tasks[i]]))
        else:
            rows = [scan.to_arrow()]
            counts.add(rows[0].num_rows)
    if len(counts) > 1:
        sys.exit("scans of one snapshot have found %s rows" % sorted(counts))
    rows = pa.concat_tables(rows, promote_options="permissive")  # string and large_string
    with pa.OSFile(out, "wb") as f, pa.ipc.new_stream(f, rows.schema) as w:
        w.write_table(rows)


main()
