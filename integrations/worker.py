"""A worker of `pipeline` as a function of Arrow batches, and of Parquet files. Needs pyarrow alone.

A worker is one folder, `worker_folder`: what `make bundle` makes, unpacked (program, model, encoder; no libtorch, no Python packages).
"""

import argparse
import contextlib
import hashlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class WorkerError(RuntimeError):
    """A worker ended before its work was done; its engine may try again."""


def labelling(worker_folder, *more):
    """The command of a worker that labels rows."""
    # Names of encoders are relative to the folder of a project file, which need not be there.
    return [f"{worker_folder}/pipeline", "predict", "--arrow-stream", "--model", f"{worker_folder}/model",
            "--config", f"{worker_folder}/pipeline.toml", *more]


def embedding(worker_folder, column, *more):
    """The command of a worker that embeds a column."""
    return [f"{worker_folder}/pipeline", "embed", "--arrow-stream", "--model", f"{worker_folder}/encoder", "--column", column, *more]


def parser(description, worker="an unpacked bundle that every machine sees"):
    """The command line that all drivers have; `worker` is what they say of --worker."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("source", type=Path, metavar="IN", help="a folder of Parquet files")
    options.add_argument("target", type=Path, metavar="OUT", help="the folder that gets a file for each")
    options.add_argument("--worker", required=True, help=worker)
    options.add_argument("--embed", metavar="COLUMN", help="embed this column; otherwise label the rows")
    return options


def command_of(worker_folder, column):
    """The command of a worker that embeds `column`, or else labels rows."""
    return embedding(worker_folder, column) if column else labelling(worker_folder)


def files_of(options):
    """The Parquet files of IN, sorted, and OUT, which is made where it is not there: both as whole paths.

    :raises FileNotFoundError: there is no Parquet file.
    """
    sources = sorted(str(path.resolve()) for path in options.source.glob("*.parquet"))
    if not sources:
        raise FileNotFoundError(f"{options.source} has no Parquet file")
    options.target.mkdir(parents=True, exist_ok=True)
    return sources, options.target.resolve()


def answers(command, batches):
    """Yield the batch that a worker answers to each of `batches`, in order.

    The worker is started with the first batch, given batches by a thread while its answers are read, and ended with the last, or where
    nobody reads any more. It has one core of `RAYON_NUM_THREADS` unless the environment says otherwise: engines count cores.

    :raises WorkerError: it could not be started, was killed, failed, or answered fewer rows than it was given.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    environment = {"RAYON_NUM_THREADS": "1", **os.environ}
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=environment)
        except OSError as error:
            raise WorkerError(f"{command[0]} cannot be started: {error}") from error
        given, failed = [0], []

        def feed():
            try:
                with process.stdin, pa.ipc.new_stream(process.stdin, first.schema) as stream:
                    for batch in _chained(first, batches):
                        stream.write_batch(batch)
                        given[0] += batch.num_rows
            except (BrokenPipeError, pa.ArrowInvalid, OSError) as error:
                failed.append(error)  # the exit code says why
            except BaseException as error:  # of whoever gives the batches: it is theirs
                failed.append(error)
                process.kill()

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        rows = 0
        try:
            try:
                for batch in pa.ipc.open_stream(process.stdout):
                    rows += batch.num_rows
                    yield batch
            except (pa.ArrowInvalid, OSError) as error:
                failed.append(error)
            thread.join()
            code = process.wait()
            if code != 0 or failed or rows != given[0]:
                said.seek(0)
                words = said.read()[-2000:].decode(errors="replace").strip()
                why = f"ended with {code}" if code else f"answered {rows} of {given[0]} rows"
                raise WorkerError(f"{os.path.basename(command[0])} {why}: {words or (failed or [''])[0]}")
        finally:
            with contextlib.suppress(OSError):
                process.kill()
            process.stdout.close()
            process.wait()


def _chained(first, rest):
    yield first
    yield from rest


def target_of(source, folder):
    """Where the answers to a file go: a name of its own, whatever folder it lies in."""
    digest = hashlib.blake2b(os.fspath(source).encode(), digest_size=8).hexdigest()
    return Path(folder) / f"{Path(source).stem}-{digest}.parquet"


def answer_file(command, source, folder, rows=2048):
    """Write the answers to a Parquet file into `folder`, whole or not at all; its path.

    What is there already is not done again: a job that was stopped goes on, and two attempts at one file leave one.
    """
    target = target_of(source, folder)
    if target.exists():
        return str(target)
    # Two attempts may be at work at once, on different machines.
    fresh = target.with_name(f".{target.name}.{os.uname().nodename}.{os.getpid()}.{threading.get_ident()}")
    file = pq.ParquetFile(source)
    try:
        writer = None
        for batch in answers(command, file.iter_batches(batch_size=rows)):
            writer = writer or pq.ParquetWriter(fresh, batch.schema)
            writer.write_batch(batch)
        if writer is None:
            # No rows, and so nobody to ask what the answers' columns are.
            pq.write_table(file.schema_arrow.empty_table(), fresh)
        else:
            writer.close()
        with open(fresh, "rb") as written:
            os.fsync(written.fileno())
        os.replace(fresh, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
    return str(target)


def tidy(targets):
    """Once all `targets` are there: take away what attempts that were killed have left beside them."""
    whole = {Path(target) for target in targets}
    for folder in {target.parent for target in whole}:
        for path in folder.glob(".*.parquet.*"):
            name, ending, _ = path.name[1:].partition(".parquet")
            if folder / (name + ending) in whole:
                path.unlink(missing_ok=True)
