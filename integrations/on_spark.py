"""Label or embed on Spark (PySpark 4).

    spark-submit integrations/on_spark.py --worker bundle.tar.gz IN OUT

IN is a folder of Parquet files, OUT gets a file for each. Run again, it does what is not done. In a notebook, `answered(frame, ...)` maps a
DataFrame.
"""

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

    options = worker.parser(__doc__, "an unpacked bundle that every machine sees, or its tar.gz, which Spark sends").parse_args()
    sources, target = worker.files_of(options)
    spark = SparkSession.builder.appName("pipeline").getOrCreate()
    spark.sparkContext.addPyFile(os.fspath(Path(__file__).resolve().with_name("worker.py")))
    where, column = os.path.abspath(options.worker), options.embed
    sent = where.endswith(".tar.gz")
    if sent:
        spark.sparkContext.addArchive(f"{where}#worker")

    def command():
        from pyspark import SparkFiles

        return worker.command_of(next(Path(SparkFiles.get("worker")).iterdir()) if sent else where, column)

    done = files(spark, command, sources, target)
    spark.stop()
    worker.tidy(done)
    print(f"{len(done)} files are in {options.target}")


if __name__ == "__main__":
    main()
