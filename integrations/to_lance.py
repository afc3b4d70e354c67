"""Embeddings to a Lance dataset, with an index, and the rows nearest to one. Needs pylance.

    pipeline embed rows.csv --column text -o vectors.parquet
    python integrations/to_lance.py write vectors.parquet vectors.lance
    python integrations/to_lance.py nearest vectors.lance 17 -k 5

What Parquet has as lists of any length Lance has as vectors of one length, which its indexes need; the other columns stay as they are. The dataset is
there whole or not at all, and none is overwritten.
"""

import argparse
import json
import math
import sys

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Rows that are in memory at a time.
BATCH_ROWS = 8192
# Fewer rows need no index: all are compared.
LEAST_INDEXED = 10_000


class NotVectors(ValueError):
    """A column of the source that has no vectors of one length."""


def vectors_of(lists, dims, column):
    """An array of lists as vectors of `dims` 32-bit floats; a null stays one. What `--vectors int8` wrote is divided by 127.

    :raises NotVectors: a list is of another length.
    """
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    present = np.asarray(lists.is_valid())
    lengths = np.unique(np.asarray(pc.list_value_length(lists.drop_null())))
    if len(lengths) and (len(lengths) > 1 or lengths[0] != dims):
        raise NotVectors(f"column {column} has lists of {', '.join(map(str, lengths))} values, the first has {dims}")
    flat = lists.drop_null().flatten()
    if flat.null_count:
        raise NotVectors(f"column {column} has a list with a null in it")
    values = flat.to_numpy(zero_copy_only=False)
    matrix = np.zeros((len(lists), dims), np.float32)
    matrix[present] = values.reshape(-1, dims).astype(np.float32) / (127 if values.dtype == np.int8 else 1)
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), dims, mask=pa.array(~present))


def write(source, target, column="embedding"):
    """Write the Parquet file `source` as the Lance dataset `target`, and index the vectors of `column` where rows are many.

    :raises NotVectors: the column is not there, has no vector, or vectors of several lengths.
    """
    file = pq.ParquetFile(source)
    place = file.schema_arrow.get_field_index(column)
    if place < 0 or not (pa.types.is_list(file.schema_arrow.field(place).type) or pa.types.is_large_list(file.schema_arrow.field(place).type)):
        raise NotVectors(f"{source} has no column {column} of lists")
    firsts = (len(one) for batch in file.iter_batches(BATCH_ROWS, columns=[column]) for one in batch.column(0).to_pylist() if one is not None)
    dims = next(firsts, 0)
    if dims == 0:
        raise NotVectors(f"column {column} of {source} has no vector")
    schema = file.schema_arrow.set(place, pa.field(column, pa.list_(pa.float32(), dims)))

    def batches():
        for batch in file.iter_batches(BATCH_ROWS):
            columns = batch.columns
            columns[place] = vectors_of(columns[place], dims, column)
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    dataset = lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), target, schema=schema, mode="create")
    rows = dataset.count_rows()
    if rows >= LEAST_INDEXED:
        dataset.create_index(column, "IVF_FLAT", metric="cosine", num_partitions=math.isqrt(rows))
    return lance.dataset(target)


def nearest(dataset, vector, count, column="embedding", exact=False):
    """A table of the `count` rows nearest to `vector` by cosine, the nearest first: their columns and `_distance`, 1 - cosine. By the index if there is
    one and not `exact`."""
    wanted = {"column": column, "q": np.asarray(vector, np.float32), "k": count, "metric": "cosine", "use_index": not exact}
    return dataset.to_table(nearest=wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, dest="part", metavar="write|nearest")
    part = parts.add_parser("write")
    part.add_argument("source", help="what `pipeline embed` wrote, Parquet")
    part.add_argument("target", help="a folder that is not there yet")
    part.add_argument("--column", default="embedding")
    part = parts.add_parser("nearest")
    part.add_argument("dataset")
    part.add_argument("row", type=int, help="its place, counted from 0")
    part.add_argument("-k", type=int, default=5, help="how many rows, its own among them")
    part.add_argument("--column", default="embedding")
    part.add_argument("--exact", action="store_true", help="compare with all rows, without the index")
    options = parser.parse_args()
    try:
        if options.part == "write":
            dataset = write(options.source, options.target, options.column)
            print(f"{dataset.count_rows()} rows are in {options.target}, {'indexed' if dataset.list_indices() else 'without an index'}")
            return 0
        dataset = lance.dataset(options.dataset)
        vector = dataset.take([options.row], columns=[options.column]).column(0)[0].as_py()
        if vector is None:
            raise NotVectors(f"row {options.row} has no vector")
        for found in nearest(dataset, vector, options.k, options.column, options.exact).drop_columns([options.column]).to_pylist():
            print(json.dumps(found, ensure_ascii=False, default=str))
        return 0
    except (NotVectors, OSError, ValueError) as error:
        print(f"to_lance: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
