"""One engine with faults: `check.py ENGINE PROGRAM MODEL`, in a Python that has the engine and pyarrow. As root, or without the full disk."""

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(HERE / "integrations"))
import worker  # noqa: E402

FILES, ROWS = 16, 150
# The kinds of processes that are killed, by what their command line has in it.
ENGINES = {"spark": "CoarseGrainedExecutorBackend", "dask": "multiprocessing.spawn", "ray": "ray::answer_file"}


def folder_of_worker(program, model, into):
    """What a worker is on a machine that has nothing else."""
    tar = into / "worker.tar.gz"
    subprocess.run([HERE / "scripts" / "bundle", model, "-o", tar, "--program", program], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["tar", "xf", tar, "-C", into], check=True)
    return next(path for path in into.iterdir() if path.is_dir())


def tables(into):
    """Parquet files with rows of data/raw, an id in each."""
    rows = [row for path in sorted((HERE / "data" / "raw").glob("*.csv"))
            for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]
    random.Random(1).shuffle(rows)
    into.mkdir()
    for place in range(FILES):
        part = rows[place * ROWS:(place + 1) * ROWS]
        columns = {name: [row[name] for row in part] for name in part[0]}
        ids = list(range(place * ROWS, place * ROWS + len(part)))
        pq.write_table(pa.table({"id": ids, **columns}), into / f"rows-{place:02}.parquet")
    return sorted(str(path) for path in into.iterdir())


def expected(program, model, sources, into):
    """The label of each id, by the program alone."""
    whole = into / "all.parquet"
    pq.write_table(pa.concat_tables(pq.read_table(source) for source in sources), whole)
    answers = into / "answers.parquet"
    begin = time.perf_counter()
    subprocess.run([program, "predict", whole, "--model", model, "-o", answers], check=True, stderr=subprocess.DEVNULL)
    table = pq.read_table(answers, columns=["id", "label"])
    return dict(zip(table["id"].to_pylist(), table["label"].to_pylist())), time.perf_counter() - begin


def check_once(folder, labels):
    """Every row exactly once, with the label that it has alone; no file that is not whole."""
    found = pa.concat_tables(pq.read_table(path, columns=["id", "label"]) for path in sorted(folder.glob("*.parquet")))
    assert sorted(found["id"].to_pylist()) == sorted(labels), f"{found.num_rows} rows of {len(labels)}"
    wrong = [i for i, label in zip(found["id"].to_pylist(), found["label"].to_pylist()) if labels[i] != label]
    assert not wrong, f"other labels: {wrong[:5]}"
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".") and not path.name.endswith(".crc")]


class Killer:
    """Kills a process whose command line has `words`, `times` times, while the job runs."""

    def __init__(self, words, times, every):
        self.words, self.left, self.every, self.killed = words, times, every, 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while self.left and not self.done.wait(self.every):
            found = subprocess.run(["pgrep", "-f", self.words], capture_output=True, text=True).stdout.split()
            found = [int(pid) for pid in found if int(pid) != os.getpid()]
            if found:
                try:
                    os.kill(random.choice(found), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.killed += 1
                self.left -= 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


SPARK = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.task.maxFailures": "8", "spark.speculation": "true",
         "spark.executor.memory": "512m", "spark.deploy.maxExecutorRetries": "20"}


@contextlib.contextmanager
def spark_of(workers):
    """A cluster of its own: a JVM each for master, workers and executors."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local-cluster[{workers},1,640]")
    for key, value in SPARK.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        spark.sparkContext.setLogLevel("OFF")
        spark.sparkContext.addPyFile(os.fspath(HERE / "integrations" / "worker.py"))
        spark.sparkContext.parallelize(range(workers), workers).count()
        yield spark
    finally:
        spark.stop()


def job(engine, command, sources, target, workers=2):
    """Run the job; seconds without the engine's own start."""
    target.mkdir(exist_ok=True)
    done, seconds = job_on(engine, command, sources, target, workers)
    worker.tidy(done)
    return seconds


def job_on(engine, command, sources, target, workers):
    if engine == "spark":
        import on_spark

        with spark_of(workers) as spark:
            begin = time.perf_counter()
            return on_spark.files(spark, lambda: command, sources, target), time.perf_counter() - begin
    if engine == "dask":
        import dask
        import on_dask
        from dask.distributed import Client, LocalCluster

        dask.config.set({"distributed.scheduler.allowed-failures": 10})
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            begin = time.perf_counter()
            return on_dask.files(client, command, sources, target), time.perf_counter() - begin
    import on_ray
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    on_ray.CORES = 1 if workers == 1 else 0.5
    try:
        begin = time.perf_counter()
        return on_ray.files(command, sources, target), time.perf_counter() - begin
    finally:
        ray.shutdown()


def map_in_arrow(command, source, target):
    """A DataFrame of the rows, mapped and written by Spark itself, with workers killed on the way; how many."""
    import on_spark

    with spark_of(2) as spark:
        frame = spark.read.parquet(os.fspath(source))
        schema = on_spark.schema_of(frame, lambda: command)
        with Killer("predict --arrow-stream", 2, 0.7) as killer:
            on_spark.answered(frame, lambda: command, schema).write.parquet(os.fspath(target))
    return killer.killed


def by_its_command_line(engine, place, tar, source, target):
    """The driver as people start it; Spark is given the tar, which it sends."""
    driver = HERE / "integrations" / f"on_{engine}.py"
    command = [sys.executable, driver, "--worker", place]
    if engine == "spark":
        settings = [word for key, value in SPARK.items() for word in ("--conf", f"{key}={value}")]
        submit = Path(sys.executable).with_name("spark-submit")
        command = [submit, "--master", "local-cluster[2,1,640]", *settings, driver, "--worker", tar]
    done = subprocess.run([*command, source, target], capture_output=True, text=True)
    assert done.returncode == 0 and f"{FILES} files are in" in done.stdout, done.stdout + done.stderr[-3000:]


def main(engine, program, model):
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    program, model = Path(program), Path(model)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        place = folder_of_worker(program, model, folder)
        sources = tables(folder / "in")
        labels, alone = expected(program, model, sources, folder)
        command = worker.labelling(place)

        took = {}
        for workers in 1, 2:
            took[workers] = job(engine, command, sources, folder / f"plain-{workers}", workers)
            check_once(folder / f"plain-{workers}", labels)
        rates = ", ".join(f"{len(labels) / seconds:.0f} rows/s with {count}" for count, seconds in took.items())
        print(f"{engine}: {len(labels)} rows; {rates}; `pipeline predict` alone {len(labels) / alone:.0f} rows/s", flush=True)

        print(f"{engine:<6} {'fault':<34} {'injected':>8}  every row once")
        target = folder / "killed-workers"
        with Killer("predict --arrow-stream", 4, 0.7) as killer:
            job(engine, command, sources, target)
        check_once(target, labels)
        assert killer.killed > 0, "nothing was killed"
        print(f"{engine:<6} {'worker process killed':<34} {killer.killed:>8}  yes", flush=True)

        # The job again: what is there stays as it is.
        before = {path: path.stat().st_mtime_ns for path in target.iterdir()}
        job(engine, command, sources, target)
        assert before == {path: path.stat().st_mtime_ns for path in target.iterdir()}
        print(f"{engine:<6} {'job run again':<34} {1:>8}  yes, nothing was done twice", flush=True)

        target = folder / "by-command-line"
        by_its_command_line(engine, place, folder / "worker.tar.gz", folder / "in", target)
        check_once(target, labels)
        print(f"{engine:<6} {'by its command line':<34} {'':>8}  yes", flush=True)

        if engine == "spark":
            target = folder / "mapped"
            killed = map_in_arrow(command, folder / "in", target)
            check_once(target, labels)
            assert killed > 0, "nothing was killed"
            print(f"{engine:<6} {'mapInArrow, worker process killed':<34} {killed:>8}  yes", flush=True)

        target = folder / "killed-executors"
        with Killer(ENGINES[engine], 1, 3) as killer:
            job(engine, command, sources, target)
        check_once(target, labels)
        assert killer.killed > 0, "nothing was killed"
        print(f"{engine:<6} {ENGINES[engine] + ' killed':<34} {killer.killed:>8}  yes", flush=True)

        # The first worker is slow; where an engine starts a second attempt, both may end.
        slow = folder / "slow"
        slow.write_text(f'#!/bin/sh\nmkdir {folder}/slow.once 2> /dev/null && sleep 15\nexec "$@"\n')
        slow.chmod(0o755)
        target = folder / "straggler"
        job(engine, [str(slow), *command], sources, target)
        check_once(target, labels)
        print(f"{engine:<6} {'straggler of 15 s':<34} {1:>8}  yes", flush=True)

        target = folder / "full"
        target.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", target], capture_output=True).returncode == 0:
            try:
                try:
                    job(engine, command, sources, target)
                    raise AssertionError("a full disk is no error")
                except AssertionError:
                    raise
                except Exception as error:  # each engine has its own
                    assert "No space left" in str(error) or "no space left" in repr(error).lower(), repr(error)[:2000]
                whole = list(target.glob("rows-*.parquet"))
                assert 0 < len(whole) < FILES, len(whole)
                subprocess.run(["mount", "-o", "remount,size=64m", target], check=True)
                job(engine, command, sources, target)
                check_once(target, labels)
            finally:
                subprocess.run(["umount", "-l", target], check=True)
            print(f"{engine:<6} {'full disk, then space':<34} {1:>8}  yes, {len(whole)} files were kept", flush=True)
        else:
            print(f"{engine}: the full disk is left out, nothing can be mounted")

        # A row that no model can read has a reason, and the others their labels.
        table = pq.read_table(sources[0])
        bad = table.set_column(table.schema.get_field_index("duration_mins"), "duration_mins",
                               pa.array(["soon", *table["duration_mins"].to_pylist()[1:]]))
        poisoned = folder / "poisoned.parquet"
        pq.write_table(bad, poisoned)
        found = pq.read_table(job_of_one(engine, command, poisoned, folder / "poisoned"))
        reasons = found["reason"].to_pylist()
        assert "duration_mins" in reasons[0] and not any(reasons[1:]), reasons[:3]
        print(f"{engine:<6} {'poisoned row':<34} {1:>8}  yes, with the reason {json.dumps(reasons[0])}", flush=True)


def job_of_one(engine, command, source, target):
    job(engine, command, [str(source)], target)
    return next(target.glob("*.parquet"))


if __name__ == "__main__":
    main(*sys.argv[1:])
