"""Embeddings to Lance: `lance_check.py PROGRAM`, in a Python that has pylance."""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(HERE / "integrations"))
import to_lance  # noqa: E402

SCRIPT = [sys.executable, HERE / "integrations" / "to_lance.py"]


def real(program, folder):
    """What the program embeds is in Lance as it was, and the rows nearest to one are those by NumPy."""
    with (HERE / "data" / "raw").joinpath(sorted(path.name for path in (HERE / "data" / "raw").glob("*.csv"))[0]).open(
            encoding="utf-8", newline="") as file:
        titles = [row["title"] for row in csv.DictReader(file)][:400]
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "number"], *([title if row != 5 else "", row] for row, title in enumerate(titles))])
    # Three times: floats of 32 and of 16 bits, and whole numbers of 8.
    for vectors, closeness in ("f32", 0.0), ("f16", 1e-3), ("int8", 0.02):
        source, target = folder / f"{vectors}.parquet", folder / f"{vectors}.lance"
        subprocess.run([program, "embed", folder / "rows.csv", "--column", "text", "--vectors", vectors, "-o", source, "--quiet"], check=True)
        written = subprocess.run([*SCRIPT, "write", source, target], check=True, capture_output=True, text=True).stdout
        assert f"{len(titles)} rows" in written and "without an index" in written, written
        table, dataset = pq.read_table(source), lance.dataset(target)
        assert pa.types.is_fixed_size_list(dataset.schema.field("embedding").type)
        assert dataset.to_table(columns=["text"]).column(0).to_pylist() == table.column("text").to_pylist()
        scale = 127 if vectors == "int8" else 1
        stored = dataset.to_table(columns=["embedding"]).column(0).to_pylist()
        assert stored[5] is None and table.column("embedding")[5].as_py() is None, "a blank text has no vector"
        for before, after in zip(table.column("embedding").to_pylist(), stored):
            assert (before is None) == (after is None)
            assert before is None or np.allclose(np.array(before, np.float64) / scale, after, atol=1e-6)
        if vectors == "f32":
            matrix = np.array([row or [0] * len(stored[0]) for row in stored])
        else:
            cosines = [np.dot(a, b) / np.linalg.norm(b) for a, b in zip(matrix, stored) if b is not None]
            assert min(cosines) > 1 - closeness, min(cosines)
    for row in 0, 17, 101:
        cosines = matrix @ matrix[row]
        expected = np.sort(cosines[cosines != 0])[::-1][:6]
        found = to_lance.nearest(lance.dataset(folder / "f32.lance"), matrix[row], 6)
        assert np.allclose(1 - np.array(found.column("_distance")), expected, atol=1e-5)
    again = subprocess.run([*SCRIPT, "write", folder / "f32.parquet", folder / "f32.lance"], capture_output=True, text=True)
    assert again.returncode == 1 and "already exists" in again.stderr, again
    blank = subprocess.run([*SCRIPT, "nearest", folder / "f32.lance", "5"], capture_output=True, text=True)
    assert blank.returncode == 1 and "row 5 has no vector" in blank.stderr, blank
    print(f"lance: {len(titles)} rows of three kinds of vectors are as they were, and the nearest are NumPy's")


def indexed(folder):
    """Of so many rows that there is an index, it finds what comparing all does."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(100, 48))
    rows = centres[rng.integers(100, size=12_000)] + 0.5 * rng.normal(size=(12_000, 48))
    lists = pa.array(rows.astype(np.float32).tolist(), pa.list_(pa.float32()))
    pq.write_table(pa.table({"row": np.arange(12_000), "embedding": lists}), folder / "many.parquet")
    dataset = to_lance.write(folder / "many.parquet", folder / "many.lance")
    assert len(dataset.list_indices()) == 1
    hits = 0
    for row in range(0, 12_000, 240):
        every, some = (to_lance.nearest(dataset, rows[row], 10, exact=exact).column("row").to_pylist() for exact in (True, False))
        assert every[0] == row
        hits += len(set(every) & set(some))
    assert hits >= 250, hits
    print(f"lance: the index of 12,000 rows finds {hits} of 500 nearest rows")


def refused(folder):
    """What is no column of vectors of one length is named, and leaves nothing."""
    bad = {"uneven": ([[1.0, 2.0], [1.0]], "lists of 1, 2 values"), "text": (["a", "b"], "no column embedding of lists"),
           "empty": (pa.array([None, None], pa.list_(pa.float32())), "has no vector"), "holes": ([[1.0, None], [1.0, 2.0]], "a null in it")}
    for name, (column, said) in bad.items():
        pq.write_table(pa.table({"embedding": column}), folder / f"{name}.parquet")
        ran = subprocess.run([*SCRIPT, "write", folder / f"{name}.parquet", folder / f"{name}.lance"], capture_output=True, text=True)
        assert ran.returncode == 1 and said in ran.stderr, (name, ran.stderr)
        try:
            lance.dataset(folder / f"{name}.lance")
        except ValueError:
            continue
        raise AssertionError(f"{name} is a dataset")
    print(f"lance: {len(bad)} tables without vectors are refused, and leave no dataset")


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        real(program, folder)
        indexed(folder)
        refused(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
