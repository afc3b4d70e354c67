"""Label or embed on Dask.

    python integrations/on_dask.py --worker FOLDER IN OUT                                two workers of this machine
    python integrations/on_dask.py --worker FOLDER --scheduler tcp://there:8786 IN OUT

IN is a folder of Parquet files, OUT gets a file for each. Run again, it does what is not done.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import worker  # noqa: E402

# A task that dies with its worker is tried again so often.
RETRIES = 3


def files(client, command, sources, folder):
    """Answer Parquet files, a task each; their targets."""
    # By its own name: where it was uploaded, the module of that name is the copy.
    client.upload_file(os.fspath(Path(__file__).resolve().with_name("worker.py")))
    tasks = client.map(worker.answer_file, [command] * len(sources), sources, [os.fspath(folder)] * len(sources),
                       retries=RETRIES, pure=False)
    return client.gather(tasks)


def main():
    from dask.distributed import Client, LocalCluster

    parser = worker.parser(__doc__)
    parser.add_argument("--scheduler", help="of a cluster; otherwise one is started here")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    sources, target = worker.files_of(options)
    command = worker.command_of(os.path.abspath(options.worker), options.embed)
    at = options.scheduler or LocalCluster(n_workers=options.workers, threads_per_worker=1, dashboard_address=None)
    with Client(at) as client:
        done = files(client, command, sources, target)
    worker.tidy(done)
    print(f"{len(done)} files are in {options.target}")


if __name__ == "__main__":
    main()
