"""From an empty folder with a spreadsheet to a table of predictions: `pipeline`, SetFit and AutoGluon as their first pages say.

The part `first` of scripts/bench. Everything that a user would type is here, is run as it stands, and is counted.
"""

import csv
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

PEERS = ["setfit==1.2.0", "autogluon.tabular[lightgbm,catboost,xgboost]==1.6.3", "pandas", "openpyxl"]

COMMANDS = """\
pipeline init export.xlsx --yes
pipeline build
pipeline predict new.csv -o labelled.csv
"""

SETFIT = """\
import pandas as pd
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments, sample_dataset
rows = pd.read_excel("export.xlsx").rename(columns={"Activity": "text", "Age group": "label"})[["text", "label"]]
train = sample_dataset(Dataset.from_pandas(rows), label_column="label", num_samples=8)
model = SetFitModel.from_pretrained(ENCODER, labels=sorted(rows["label"].unique()))
trainer = Trainer(model=model, args=TrainingArguments(batch_size=32, num_epochs=1, report_to="none"), train_dataset=train)
trainer.train()
new = pd.read_csv("new.csv", sep=";")
new["label"] = model.predict(new["Activity"].tolist())
new.to_csv("labelled.csv", index=False)
"""

AUTOGLUON = """\
import pandas as pd
from autogluon.tabular import TabularPredictor
rows = pd.read_excel("export.xlsx")
predictor = TabularPredictor(label="Age group").fit(rows, presets="best_quality", time_limit=240)
new = pd.read_csv("new.csv", sep=";")
new["label"] = predictor.predict(new)
new.to_csv("labelled.csv", index=False)
"""


def export(folder, raw, labelled, new, seed):
    """A spreadsheet of `labelled` activities and a table of `new` ones without labels; the labels of those."""
    from openpyxl import Workbook

    rows = []
    for path in sorted(Path(raw).glob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    random.Random(seed).shuffle(rows)
    rows = rows[:labelled + new]

    def group(row):
        middle = (float(row["age_min"]) + float(row["age_max"])) / 2
        return next(name for below, name in [(3.5, "Toddler"), (7, "Preschool"), (11, "Elementary"), (999, "Teen")] if middle < below)

    def cells(number, row):
        steps = " ".join(json.loads(row["how_to_play"]))
        return [number, f"{row['title']}. {steps}", row["cost"], float(row["duration_mins"])]

    head = ["No.", "Activity", "Cost", "Minutes"]
    book = Workbook()
    book.active.append([*head, "Age group"])
    for number, row in enumerate(rows[:labelled], 1):
        book.active.append([*cells(number, row), group(row)])
    book.save(folder / "export.xlsx")
    with open(folder / "new.csv", "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(head)
        out.writerows(cells(number, row) for number, row in enumerate(rows[labelled:], labelled + 1))
    return [group(row) for row in rows[labelled:]]


def lines_of(text):
    return len(text.strip().splitlines())


def run(command, folder, log):
    begin = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.write(ran.stdout)
    log.flush()
    if ran.returncode != 0:
        raise SystemExit(f"{command} failed with {ran.returncode}:\n{ran.stdout[-3000:]}")
    return time.perf_counter() - begin, ran.stdout


def labels(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [row["label"] for row in csv.DictReader(file)]


def in_pipeline(program, folder, log):
    """Seconds of each command, what they print, the labels, and what it promised."""
    transcript, seconds = [], []
    for line in COMMANDS.strip().splitlines():
        took, said = run([program, *line.split()[1:]], folder, log)
        seconds.append(took)
        transcript.append((line, took, said))
    name = next((folder / "data" / "models").iterdir())
    found = json.loads((name / "metrics.json").read_text())["out_of_fold"]["accuracy"]
    promised = f"{found['value']:.3f} ({found['low']:.3f} – {found['high']:.3f})"
    return transcript, labels(folder / "labelled.csv"), promised


def in_python(script, folder, log, encoder):
    (folder / "first.py").write_text(f"ENCODER = {str(encoder)!r}\n{script}")
    seconds, said = run([sys.executable, "first.py"], folder, log)
    score = re.findall(r"([\d.]+)\s*= Validation score", said)
    return seconds, labels(folder / "labelled.csv"), f"{float(score[-1]):.3f}" if score else "nothing"
