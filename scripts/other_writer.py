"""How a model does on rows by another writer: `python3 scripts/other_writer.py target/release/pipeline [CONFIG]`.

`data/terse/rows.csv` says 200 activities of `data/raw` in another writer's few words. A model is taught all other rows; it labels both
forms of the 200. Printed for some choices of inputs: the accuracy on each form with its 95 % interval (Wilson), the difference, and
how often the two forms get one label. What it makes lies in a temporary folder.
"""

import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent.parent
# What is changed in [features].
CHOICES = {
    "default": {},
    "without text_shape": {"text_shape": False},
    "without terms": {"terms": False},
    "without both": {"text_shape": False, "terms": False},
    "texts alone": {"text_shape": False, "terms": False, "numeric": [], "categorical": []},
}
CLASSES = [("Toddler (0-3)", 3.5), ("Preschool (4-6)", 7), ("Elementary (7-10)", 11), ("Teen+ (11+)", 99)]


def wilson(right, of):
    """95 % interval of a proportion (Wilson 1927)."""
    z, p = 1.959964, right / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return [(middle + sign * half) / (1 + z * z / of) for sign in (-1, 1)]


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def main(program, config=HERE / "pipeline.toml"):
    program = pathlib.Path(program).resolve()
    terse = rows_of(HERE / "data/terse/rows.csv")
    held_out = {row["of"] for row in terse}
    by_title = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "raw").mkdir()
        for path in sorted((HERE / "data/raw").glob("*.csv")):
            rows = rows_of(path)
            by_title |= {row["title"]: row for row in rows}
            written(folder / "raw" / path.name, [row for row in rows if row["title"] not in held_out])
        originals = [by_title[row["of"]] for row in terse]
        for name, rows in [("original", originals), ("terse", terse)]:
            written(folder / f"{name}.csv", [{key: row[key] for key in originals[0] if not key.startswith("age_")} for row in rows])
        middle = [(float(row["age_min"]) + float(row["age_max"])) / 2 for row in originals]
        truth = [next(name for name, below in CLASSES if age < below) for age in middle]
        print(f"{'':20} {'as written':>22} {'terse':>22} {'difference':>11} {'one label':>10}")
        for choice, features in CHOICES.items():
            settings = tomllib.loads(pathlib.Path(config).read_text())
            settings["data"]["files"] = ["raw/*.csv"]
            settings["features"] |= features
            # Nothing is evaluated here, so next to nothing is held out.
            settings["split"] |= {"train": 0.89, "validation": 0.1, "test": 0.01}
            kept = {key: settings[key] for key in ("name", "seed", "data", "label", "features", "encoder", "split", "train")}
            text = "".join(f"{key} = {toml(value)}\n" for key, value in kept.items())
            (folder / "pipeline.toml").write_text(text)
            subprocess.run([program, "build", "--to", "train", "--quiet"], cwd=folder, check=True, capture_output=True)
            labels = {}
            for name in ("original", "terse"):
                done = subprocess.run([program, "predict", f"{name}.csv", "--json"], cwd=folder, check=True, capture_output=True)
                labels[name] = [json.loads(line)["label"] for line in done.stdout.splitlines()]
            right = {name: sum(a == b for a, b in zip(of, truth, strict=True)) for name, of in labels.items()}
            cell = {name: "{:.3f} ({:.3f} – {:.3f})".format(n / len(truth), *wilson(n, len(truth))) for name, n in right.items()}
            same = sum(a == b for a, b in zip(*labels.values(), strict=True)) / len(truth)
            print(f"{choice:20} {cell['original']:>22} {cell['terse']:>22} "
                  f"{(right['terse'] - right['original']) / len(truth):>+11.3f} {same:>10.3f}", flush=True)


main(*sys.argv[1:])
