"""Label or embed on Ray.

    python integrations/on_ray.py --worker FOLDER IN OUT

IN is a folder of Parquet files, OUT gets a file for each. Run again, it does what is not done. `answered(dataset, ...)` maps a Dataset of Ray
Data by a pool of actors.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import worker  # noqa: E402

# A task that dies with its process is tried again so often.
RETRIES = 3
# Of a core: two actors of a whole one each would leave none for the tasks that read and write.
CORES = 0.5


def answered(dataset, command, actors=2, rows=2048):
    """A Dataset with the answers of a pool of actors to its rows."""
    import pyarrow as pa

    _sent()

    class Asking:
        def __call__(self, table):
            batches = table.combine_chunks().to_batches()
            return pa.Table.from_batches(list(worker.answers(command, batches))) if batches else table

    return dataset.map_batches(Asking, concurrency=actors, batch_size=rows, batch_format="pyarrow", num_cpus=CORES)


def _sent():
    """Let what uses `worker` bring it along: the processes of Ray do not find it by its name."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(worker)


def files(command, sources, folder):
    """Answer Parquet files, a task each; their targets."""
    import ray

    _sent()
    task = ray.remote(num_cpus=CORES, max_retries=RETRIES, retry_exceptions=True)(worker.answer_file)
    return ray.get([task.remote(command, source, os.fspath(folder)) for source in sources])


def main():
    import ray

    options = worker.parser(__doc__).parse_args()
    sources, target = worker.files_of(options)
    command = worker.command_of(os.path.abspath(options.worker), options.embed)
    ray.init(include_dashboard=False, log_to_driver=False)
    done = files(command, sources, target)
    ray.shutdown()
    worker.tidy(done)
    print(f"{len(done)} files are in {options.target}")


if __name__ == "__main__":
    main()
