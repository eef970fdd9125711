"""Makes sales.orders, the table that every client here reads, as PyIceberg does: fixture.py LAKE"""
import datetime as dt
import decimal
import sys

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, DateType, DecimalType, ListType, LongType, NestedField, StringType, TimestampType

lake = sys.argv[1]
c = SqlCatalog("tarn", uri=f"sqlite:///{lake}/catalog.db", warehouse=f"file://{lake}/warehouse", init_catalog_tables="false")
c.create_namespace("sales")
s = Schema(NestedField(1,"id", LongType(),required=True),
           NestedField(2,"name", StringType()),
           NestedField(3,"amt", DecimalType(10,2)),
           NestedField(4,"ts", TimestampType()),
           NestedField(5,"d", DateType()),
           NestedField(6,"b", BooleanType()),
           NestedField(7,"tags", ListType(8,StringType(),element_required=False)),identifier_field_ids=[1])
t = c.create_table("sales.orders", s,properties={"comment":"orders of the shop"})
D = decimal.Decimal
d = pa.Table.from_pylist([dict(id=1,name="ann", amt=D("12.50"),ts=dt.datetime(2026,1,2,3,4,5,678901),d=dt.date(2026,1,2),b=True,tags=["a", "b"]),
dict(id=2,name="bob", amt=D("-0.01"),ts=dt.datetime(1969,12,31,23,59,59),d=dt.date(1,1,1),b=False,tags=[]),
dict(id=3,name="çä\"'\\", amt=D("99999999.99"),ts=dt.datetime(9999,12,31,23,59,59,999999),d=dt.date(9999,12,31),b=None,tags=None)],schema=t.schema().as_arrow())
t.append(d)
