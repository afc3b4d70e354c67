"""Label or embed on Spark (PySpark 4).

    spark-submit integrations/on_spark.py --worker bundle.tar.gz IN OUT

IN is a folder of Parquet files, OUT gets a file for each. Run again, it does what is not done. In a notebook, `answered(frame, ...)` maps a
DataFrame.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import worker  # noqa: E402


def answered(frame, command, schema):
    """A DataFrame with the answers of workers to its rows; `schema` is that of the answers, as `schema_of` finds it."""
    return frame.mapInArrow(lambda batches: worker.answers(command(), batches), schema)


def schema_of(frame, command):
    """Spark's schema of the answers: those to one row."""
    from pyspark.sql.pandas.types import from_arrow_schema

    table = frame.limit(1).toArrow()
    batch = next(iter(worker.answers(command(), table.to_batches())), None)
    if batch is None:
        raise ValueError("the frame has no rows")
    return from_arrow_schema(batch.schema)


def files(spark, command, sources, folder):
    """Answer Parquet files, a task each; their targets."""
    folder = os.fspath(folder)
    return spark.sparkContext.parallelize(sources, max(len(sources), 1)).map(
        lambda source: worker.answer_file(command(), source, folder)).collect()


def main():
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--worker", required=True, help="an unpacked bundle that every machine sees, or its tar.gz, which Spark sends")
    parser.add_argument("--embed", metavar="COLUMN", help="embed this column; otherwise label the rows")
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("pipeline").getOrCreate()
    spark.sparkContext.addPyFile(os.fspath(Path(__file__).resolve().with_name("worker.py")))
    where, column = arguments.worker, arguments.embed
    if where.endswith(".tar.gz"):
        spark.addArtifacts(f"{where}#worker", archive=True) if hasattr(spark, "_client") else spark.sparkContext.addArchive(f"{where}#worker")

    def command():
        folder = where
        if where.endswith(".tar.gz"):
            from pyspark import SparkFiles

            folder = str(next(Path(SparkFiles.get("worker")).iterdir()))
        return worker.embedding(folder, column) if column else worker.labelling(folder)

    arguments.target.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path.resolve()) for path in arguments.source.glob("*.parquet"))
    done = files(spark, command, sources, arguments.target.resolve())
    print(f"{len(done)} files are in {arguments.target}")
    spark.stop()


if __name__ == "__main__":
    main()
