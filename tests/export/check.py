#!/usr/bin/env python3
"""Compare what `pipeline export` writes with what `pipeline predict` says (tests/export/run starts it).

For each head a small project is built, its rows are answered by `pipeline predict`, and the same rows by what was exported: the
ONNX graph in ONNX Runtime from the texts on, the NumPy module and the dense layer from the embeddings on. The greatest
difference of a probability is printed, and must be below 1e-4.
"""

import csv
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mlcroissant
import numpy as np
import onnxruntime
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import ModelCard
from safetensors.numpy import load_file
from tokenizers import Tokenizer

DATA = Path(__file__).resolve().parent.parent / "data"
THEMES = ["friends", "home", "sensory", "sport"]
LIMIT = 1e-4

CONFIG = """
name = "small"
[data]
files = ["data/raw/*.csv"]
text_fields = ["title", "how_to_play"]
join_text = {join}
title = "title"
[label.range]
min = "age_min"
max = "age_max"
classes = [
    {{ name = "Toddler (0-3)", below = 3.5 }},
    {{ name = "Preschool (4-6)", below = 7 }},
    {{ name = "Elementary (7-10)", below = 11 }},
    {{ name = "Teen+ (11+)" }},
]
[features]
text_shape = false
{features}
[encoder]
precision = "f32"
[split]
train = 0.6
validation = 0.2
test = 0.2
[train]
class_weights = true
{train}
[evaluate]
folds = 2
repeats = 1
"""

COLUMNS = 'numeric = ["duration_mins"]\ncategorical = ["cost", "players"]\nfield_weights = { title = 1.5 }'
NETWORK = 'head = "network"\nepochs = 6\nbatch_size = 32\nhidden = [16]\nmembers = 3\n'

# Name, whether the texts are joined, features, training; whether libtorch is needed.
MODELS = [
    ("logistic", True, "", 'head = "logistic"', False),
    ("kernel", False, COLUMNS + "\nterms = false", 'head = "kernel"', False),
    ("ensemble", False, COLUMNS + "\nterms = false", 'head = "ensemble"\nensemble = { heads = ["kernel", "logistic"] }', False),
    ("softmax", True, "", NETWORK + "batch_norm = true", True),
    ("coral", False, COLUMNS, NETWORK + 'output = "coral"', True),
    ("corn", True, "", NETWORK + 'output = "corn"', True),
]


class Failed(Exception):
    """A difference, or a program that ended badly."""


class Project:
    """A project of one head in a folder of its own."""

    def __init__(self, program, root, name, join, features, train):
        self.program, self.folder = program, root / name
        (self.folder / "data/raw").mkdir(parents=True)
        for theme in THEMES:
            shutil.copy(DATA / f"{theme}.csv", self.folder / "data/raw")
        config = CONFIG.format(join=str(join).lower(), features=features, train=train)
        (self.folder / "pipeline.toml").write_text(config)
        self.run("build", "--quiet")
        # Rows of the data with missing cells among them, long and empty texts.
        self.rows = []
        for theme in THEMES:
            with open(DATA / f"{theme}.csv", newline="") as file:
                self.rows += list(csv.DictReader(file))
        self.rows = self.rows[::2]
        for row in self.rows:
            row["how_to_play"] = " ".join(json.loads(row["how_to_play"]))
        self.rows[0]["duration_mins"] = ""
        self.rows[1].update(cost="never seen", players="")
        self.rows[2]["how_to_play"] *= 40
        self.rows[3].update(title="", how_to_play="  ")
        with open(self.folder / "new.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows)
        lines = self.run("predict", "new.csv", "--format", "jsonl", "--embeddings").splitlines()
        self.answers = [json.loads(line) for line in lines]

    def run(self, *args):
        done = subprocess.run([self.program, *args], cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"pipeline {' '.join(args)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def export(self, to, *more):
        told = json.loads(self.run("export", "--to", to, "--json", *more))
        return self.folder / told["folder"]

    def probabilities(self, classes):
        """Those of `pipeline predict`, and the rows that have any."""
        known = [i for i, answer in enumerate(self.answers) if answer.get("label") is not None]
        return known, np.array([[self.answers[i]["probabilities"][c] for c in classes] for i in known])

    def embeddings(self, known, fields):
        """A matrix for each field."""
        names = ["embedding"] if len(fields) == 1 else [f"{field} embedding" for field in fields]
        return [np.array([self.answers[i][name] for i in known]) for name in names]

    def texts(self, known, field):
        """What the encoder sees of a field."""
        if field == "text":
            parts = [[self.rows[i]["title"].strip(), self.rows[i]["how_to_play"].strip()] for i in known]
            return ["\n".join(part for part in row if part) for row in parts]
        return [self.rows[i][field].strip() for i in known]

    def cells(self, known):
        """The tabular cells as the NumPy module takes them."""
        def items(cell):
            return [cell.strip().lower()] if cell.strip() else []

        return [
            {
                "duration_mins": float(row["duration_mins"]) if row["duration_mins"] else None,
                "cost": items(row["cost"]),
                "players": items(row["players"]),
            }
            for row in (self.rows[i] for i in known)
        ]


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def tokens(folder, texts):
    """Padded ids, mask and types, as int64."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(texts)
    parts = ("input_ids", "ids"), ("attention_mask", "attention_mask"), ("token_type_ids", "type_ids")
    return {name: np.array([getattr(e, of) for e in encoded], np.int64) for name, of in parts}


def module(folder):
    """The exported model.py."""
    spec = importlib.util.spec_from_file_location(f"exported_{abs(hash(folder))}", folder / "model.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def onnx(project, classes, fields, known, numpy_module):
    folder = project.export("onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    feeds = {}
    for field in fields:
        prefix = "" if "input_ids" in names else f"{field}."
        feeds |= {prefix + name: value for name, value in tokens(folder, project.texts(known, field)).items()}
    if "columns" in names:
        # Before standardisation: numbers, NaN where missing, then the indicators.
        model = numpy_module.MODEL
        lines = []
        for row in project.cells(known):
            line = [np.nan if row[c["name"]] is None else row[c["name"]] for c in model["numeric"]]
            for column in model["categorical"]:
                values, of = row[column["name"]], column["known"]
                line += [one in values for one in of] + [any(one not in of for one in values)]
            lines.append(line)
        feeds["columns"] = np.array(lines, np.float32)
    if set(feeds) != names:
        raise Failed(f"the graph asks for {sorted(names)}, not {sorted(feeds)}")
    config = json.loads((folder / "config.json").read_text())
    if [config["id2label"][str(i)] for i in range(len(classes))] != classes:
        raise Failed("id2label is not the classes")
    if config["architectures"] != ["BertForSequenceClassification"]:
        raise Failed(f"config.json is of {config['architectures']}")
    return softmax(session.run(["logits"], feeds)[0].astype(float))


def dense(project, embeddings):
    """The last module of the sentence-transformers folder on the embeddings."""
    folder = project.export("sentence-transformers")
    last = json.loads((folder / "modules.json").read_text())[-1]
    if not last["type"].endswith(".Dense"):
        raise Failed(f"the last module is {last}")
    weights = load_file(folder / last["path"] / "model.safetensors")
    return softmax(embeddings[0] @ weights["linear.weight"].T.astype(float) + weights["linear.bias"])


def encoder_alone(project, fields, known, embeddings):
    folder = project.export("onnx", "--encoder-only", "-o", "encoder")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    states, found = session.run(
        ["last_hidden_state", "sentence_embedding"], tokens(folder, project.texts(known, fields[0]))
    )
    if states.shape[::2] != found.shape:
        raise Failed(f"states of {states.shape}, embeddings of {found.shape}")
    return np.abs(found - embeddings[0]).max()


def card(project):
    """The figures of the card are those of metrics.json, with their intervals."""
    project.run("export", "--to", "card")
    loaded = ModelCard.load(project.folder / "data/models/small/README.md")
    metrics = json.loads((project.folder / "data/models/small/metrics.json").read_text())
    found = {(r.dataset_split, r.metric_name.split(" (")[0]): r for r in loaded.data.eval_results}
    count = 0
    for part, of in (("test part", metrics["test"]), ("out of fold", metrics["out_of_fold"])):
        for label, key in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("log loss", "log_loss")):
            result, expected = found[part, label], of[key]
            shown = [result.metric_value, result.metric_args["low"], result.metric_args["high"]]
            if shown != [expected["value"], expected["low"], expected["high"]]:
                raise Failed(f"{label} of the {part} is {shown} in the card, {expected} in metrics.json")
            count += 1
    project.run("publish", "published", "--to", "hub")
    again = ModelCard.load(project.folder / "published/README.md")
    if again.content != loaded.content or not (project.folder / "published/head.safetensors").exists():
        raise Failed("the published folder has not the card and the head")
    return count


def croissant(project):
    """mlcroissant reads as many rows as the files have, with the types of their columns."""
    folder = project.export("croissant")
    dataset = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    for file in json.loads((folder / "croissant.json").read_text())["distribution"]:
        content = (folder / file["contentUrl"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != file["sha256"] or file["contentSize"] != f"{len(content)} B":
            raise Failed(f"{file['name']} has another hash or size than croissant.json says")
    read = 0
    for record_set in dataset.metadata.record_sets:
        file = record_set.name
        with open(project.folder / file, newline="") as rows:
            expected = list(csv.DictReader(rows))
        records = list(dataset.records(record_set=record_set.id))
        if len(records) != len(expected):
            raise Failed(f"{len(records)} records of {file}, which has {len(expected)} rows")
        age = records[0][f"{record_set.id}/age_min"]
        if float(age) != float(expected[0]["age_min"]):
            raise Failed(f"age_min of {file} is {age}")
        read += len(records)
    return read


def bill_of_materials():
    """Components of what `scripts/sbom` prints, which the schema of CycloneDX 1.6 allows."""
    script = DATA.parent.parent / "scripts/sbom"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"scripts/sbom: {done.stderr}")
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(done.stdout)
    if fault:
        raise Failed(f"scripts/sbom: {fault}")
    return len(json.loads(done.stdout)["components"])


def compare(project, name):
    folder = project.export("python")
    exported = module(folder)
    classes, fields = exported.MODEL["classes"], exported.MODEL["fields"]
    known, expected = project.probabilities(classes)
    embeddings = project.embeddings(known, fields)
    answers = exported.answer(embeddings, project.cells(known))
    labels = [exported.label(row) for row in answers]
    if labels != [project.answers[i]["label"] for i in known]:
        raise Failed(f"{name}: the labels of model.py are not those of predict")
    differences = {
        "numpy": answers,
        "onnx": onnx(project, classes, fields, known, exported),
    }
    if name == "logistic":
        differences["dense"] = dense(project, embeddings)
    differences = {form: np.abs(found - expected).max() for form, found in differences.items()}
    if name == "logistic":
        differences["encoder"] = encoder_alone(project, fields, known, embeddings)
    shown = ", ".join(f"{form} {difference:.1e}" for form, difference in differences.items())
    print(f"export: {name}, {len(known)} rows: {shown}", flush=True)
    if not max(differences.values()) < LIMIT:
        raise Failed(f"{name}: a difference is not below {LIMIT}")


def main(program):
    has_torch = Path(program).with_name("pipeline-torch").exists()
    passed = 0
    with tempfile.TemporaryDirectory() as root:
        print(f"export: {bill_of_materials()} components in the bill of materials", flush=True)
        for name, join, features, train, needs_torch in MODELS:
            if needs_torch and not has_torch:
                print(f"export: {name} is left out: pipeline-torch is not beside {program}")
                continue
            project = Project(program, Path(root), name, join, features, train)
            compare(project, name)
            passed += 1
            if name == "logistic":
                print(f"export: {card(project)} figures of the card by huggingface_hub", flush=True)
                print(f"export: {croissant(project)} records by mlcroissant", flush=True)
    print(f"export: {passed} passed, 0 failed")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Failed as error:
        sys.exit(f"export: {error}")
