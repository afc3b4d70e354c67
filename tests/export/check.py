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
import os
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
PEER = os.environ.get("SENTENCE_TRANSFORMERS")

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

EMBEDDING = "text_shape = false\n"
COLUMNS = 'numeric = ["duration_mins"]\ncategorical = ["cost", "players"]\nfield_weights = { title = 1.5 }'
NETWORK = 'head = "network"\nepochs = 6\nbatch_size = 32\nhidden = [16]\nmembers = 3\n'

# Name, whether the texts are joined, features, training; whether libtorch is needed. A kernel machine sees words and letters unless
# terms = false, and every head what is counted in the texts but with EMBEDDING.
MODELS = [
    ("logistic", True, EMBEDDING, 'head = "logistic"', False),
    ("kernel", False, EMBEDDING + "terms = false\n" + COLUMNS, 'head = "kernel"', False),
    ("default", False, COLUMNS, 'head = "kernel"', False),
    ("default joined", True, "", 'head = "kernel"', False),
    ("shape", True, "", 'head = "logistic"', False),
    ("terms", False, "text_shape = false", 'head = "kernel"', False),
    ("ensemble", False, COLUMNS, 'head = "ensemble"\nensemble = { heads = ["kernel", "logistic", "knn"] }', False),
    ("knn", False, COLUMNS, 'head = "knn"', False),
    ("prototypes", True, EMBEDDING, 'head = "prototypes"', False),
    ("softmax", True, EMBEDDING, NETWORK + "batch_norm = true", True),
    ("coral", False, COLUMNS, NETWORK + 'output = "coral"', True),
    ("corn", True, "", NETWORK + 'output = "corn"', True),
]

# What languages have other tables of, or other rules for.
ODDITIES = [
    "\u0130stanbul \u03a3\u0391\u03a3 \u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3. stra\u00dfe \u1e9e",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902 \u0916\u0947\u0932! \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35?",
    "a\u00a0b\u2003ball\u3000c\x1cd\x1fe\u200bf \u2460 \u00b2 \u00bd \u2167 \u0663\u0664",
    "e\u0301 \u00e9 _x_ __ a_b 1_000 x \u01c4 \ufb01ne \u24b6 \u00aa \u0345 \U00010400 \U0001e900 \U0001f469\u200d\U0001f467",
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
        for row, text in zip(self.rows[4:], ODDITIES):
            row.update(title=text, how_to_play=f"Build a ball {text} fort!? Roll it, roll it")
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
        """Texts and cells as what is exported takes them."""
        def items(cell):
            return [cell.strip().lower()] if cell.strip() else []

        texts = {field: self.texts(known, field) for field in ("title", "how_to_play", "text")}
        return [
            {
                "duration_mins": float(row["duration_mins"]) if row["duration_mins"] else None,
                "cost": items(row["cost"]),
                "players": items(row["players"]),
            }
            | {field: texts[field][at] for field in texts}
            for at, row in enumerate(self.rows[i] for i in known)
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


def module(folder, name):
    """An exported Python file."""
    spec = importlib.util.spec_from_file_location(f"exported_{abs(hash(folder))}", folder / name)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def onnx(project, classes, fields, known):
    folder = project.export("onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    if "input_ids" in names:
        feeds = tokens(folder, project.texts(known, fields[0]))
        served(folder, session)
    else:
        feeds = module(folder, "inputs.py").feeds(project.cells(known))
    if set(feeds) != names:
        raise Failed(f"the graph asks for {sorted(names)}, not {sorted(feeds)}")
    config = json.loads((folder / "config.json").read_text())
    if [config["id2label"][str(i)] for i in range(len(classes))] != classes:
        raise Failed("id2label is not the classes")
    if config["architectures"] != ["BertForSequenceClassification"]:
        raise Failed(f"config.json is of {config['architectures']}")
    return softmax(session.run(["logits"], feeds)[0].astype(float))


def served(folder, session):
    """What text-embeddings-inference 1.8 reads of a classifier's folder, by the sources of its router and of its backend `ort`."""
    config = json.loads((folder / "config.json").read_text())
    wanted = {"model_type": str, "max_position_embeddings": int, "hidden_size": int, "num_hidden_layers": int}
    wrong = [key for key, kind in wanted.items() if not isinstance(config.get(key), kind)]
    if wrong or not config["architectures"][0].endswith("Classification"):
        raise Failed(f"config.json has {wrong} wrong, architectures {config['architectures']}")
    if {label: int(i) for i, label in config["id2label"].items()} != config["label2id"]:
        raise Failed("id2label is not label2id turned round")
    limit = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    if not 0 < limit <= config["max_position_embeddings"]:
        raise Failed(f"max_seq_length is {limit}")
    if json.loads((folder / "tokenizer_config.json").read_text()).get("padding_side", "right") != "right":
        raise Failed("the graph is for tokens that are padded on the right")
    kinds = {value.name: value.type for value in session.get_inputs()}
    if kinds != dict.fromkeys(["input_ids", "attention_mask", "token_type_ids"], "tensor(int64)"):
        raise Failed(f"the graph takes {kinds}")
    if [value.name for value in session.get_outputs()] != ["logits"]:
        raise Failed("the graph has other outputs than logits")


def dense(project, embeddings):
    """The last module of the sentence-transformers folder on the embeddings."""
    folder = project.export("sentence-transformers")
    last = json.loads((folder / "modules.json").read_text())[-1]
    if not last["type"].endswith(".Dense"):
        raise Failed(f"the last module is {last}")
    weights = load_file(folder / last["path"] / "model.safetensors")
    return softmax(embeddings[0] @ weights["linear.weight"].T.astype(float) + weights["linear.bias"])


def opened(project, known, field):
    """The same folder by the package that it is for, from the texts on."""
    script, folder = Path(__file__).with_name("encode.py"), project.folder / "data/exports/small/sentence-transformers"
    texts = json.dumps(project.texts(known, field))
    done = subprocess.run([PEER, script, folder], input=texts, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"sentence-transformers: {done.stderr}")
    return softmax(np.array(json.loads(done.stdout)))


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
    exported = module(folder, "model.py")
    classes, fields = exported.MODEL["classes"], exported.MODEL["fields"]
    known, expected = project.probabilities(classes)
    embeddings = project.embeddings(known, fields)
    answers = exported.answer(embeddings, project.cells(known))
    labels = [exported.label(row) for row in answers]
    if labels != [project.answers[i]["label"] for i in known]:
        raise Failed(f"{name}: the labels of model.py are not those of predict")
    differences = {
        "numpy": answers,
        "onnx": onnx(project, classes, fields, known),
    }
    if name == "logistic":
        differences["dense"] = dense(project, embeddings)
        if PEER:
            differences["sentence-transformers"] = opened(project, known, fields[0])
        else:
            print("export: the package sentence-transformers is left out: SENTENCE_TRANSFORMERS names no Python that has it")
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
