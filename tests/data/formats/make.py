"""Writes the Parquet and Arrow files of this folder by pyarrow 26.0.1: tickets.csv in each, and a column of every type."""
import datetime
import decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as c, feather as f, ipc, parquet as pq

d = str(Path(__file__).parent) + "/"
t = c.read_csv(d + "tickets.csv", convert_options=c.ConvertOptions(strings_can_be_null=True))
pq.write_table(t, d + "tickets.parquet", row_group_size=20, compression="zstd")
f.write_feather(t, d + "tickets.arrow", compression="lz4", chunksize=20)
with ipc.new_stream(d + "tickets.arrows", t.schema) as w: w.write_table(t, max_chunksize=20)
utc = datetime.timezone.utc
day = datetime.datetime(2024, 3, 1)
k = pa.table({
    "text": pa.array(["a", None, "é"]),
    "large": pa.array(["a", "", None], pa.large_string()),
    "view": pa.array(["short", "longer than twelve bytes", None], pa.string_view()),
    "category": pa.array(["x", "y", "x"]).dictionary_encode(),
    "int8": pa.array([-1, None, 3], pa.int8()),
    "uint64": pa.array([2**64 - 1, 0, 1], pa.uint64()),
    "half": pa.array([0.5, None, 2], pa.float16()),
    "single": pa.array([0.1, float("inf"), None], pa.float32()),
    "double": pa.array([1.5, float("nan"), 1e300]),
    "flag": pa.array([True, None, False]),
    "price": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-0.05")], pa.decimal128(9, 2)),
    "date": pa.array([datetime.date(2024, 3, 1), None, datetime.date(1900, 1, 1)]),
    "moment": pa.array([day, day.replace(hour=12, microsecond=5000), None], pa.timestamp("us")),
    "zoned": pa.array([day, None, day.replace(hour=12)], pa.timestamp("ms", tz="Europe/Berlin")),
    "time": pa.array([datetime.time(12, 30), None, datetime.time(0, 0, 1)], pa.time32("s")),
    "duration": pa.array([datetime.timedelta(seconds=90), None, datetime.timedelta(milliseconds=5)], pa.duration("ms")),
    "list": pa.array([["a", "b"], None, []], pa.list_(pa.string())),
    "vector": pa.array([[0.5, 1], None, [2, 0.25]], pa.list_(pa.float32(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}], pa.struct([("a", pa.int32()), ("b", pa.string())])),
    "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "bytes": pa.array([b"\x00\xff", None, b""], pa.binary()),
    "none": pa.nulls(3),
})
pq.write_table(k, d + "types.parquet", compression="snappy")
f.write_feather(k, d + "types.arrow", compression="zstd")
