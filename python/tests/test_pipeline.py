"""The package against the program, and against what other libraries say of the same texts.

    pytest python/tests        where the wheel, scikit-learn, pandas, polars and pyarrow are installed

PIPELINE_PROGRAM names the program to compare with; without it, the command that the wheel brings.
"""

import csv
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from pipeline import Encoder, Model, TextClassifier

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
ENCODER = "all-MiniLM-L6-v2"
PROGRAM = os.environ.get("PIPELINE_PROGRAM", "pipeline")
FIELDS = ["title", "how_to_play"]


@pytest.fixture(scope="session")
def encoder():
    return Encoder(ENCODER)


@pytest.fixture(scope="session")
def rows():
    found = []
    for path in sorted((PROJECT / "tests" / "data").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file))
    labels = ["old" if float(row["age_min"]) >= 6 else "young" for row in found]
    return [{name: row[name] for name in FIELDS} for row in found], labels


@pytest.fixture(scope="session")
def classifier(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    return TextClassifier(folder, text_fields=FIELDS).fit(*rows)


@pytest.fixture(scope="session")
def model(classifier):
    return classifier.model_


def test_importing_takes_no_other_library():
    code = "import sys, pipeline; print(sorted({'numpy', 'sklearn', 'pandas', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_vectors_are_those_of_sentence_transformers(encoder):
    items = json.loads((PROJECT / "tests" / "golden" / "minilm_reference.json").read_text())["items"]
    texts, expected = [item["text"] for item in items], np.array([item["embedding"] for item in items])
    found = encoder.encode(texts)
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert (found * expected).sum(1).min() > 0.999
    exact = Encoder(ENCODER, precision="f32").encode(texts)
    assert (exact * expected).sum(1).min() > 0.9999
    # A text has the same vector alone and among others.
    assert (encoder.encode(texts[0]) == found[0]).all() and encoder.encode(texts[0]).shape == (384,)


def test_arguments_of_encode(encoder):
    assert encoder.encode([]).shape == (0, 384)
    assert isinstance(encoder.encode(["a", "b"], convert_to_numpy=False), list)
    assert np.allclose(np.linalg.norm(encoder.encode(["a"], 8, normalize_embeddings=True), axis=1), 1)
    found = encoder.encode(["a"])
    found += 1  # it can be written to
    with pytest.raises(TypeError, match=r"sentences\[1\] is float"):
        encoder.encode(["a", float("nan")])
    with pytest.raises(ValueError, match="precision is"):
        Encoder(ENCODER, precision="int8")
    with pytest.raises(ValueError, match="no-such-encoder"):
        Encoder("no-such-encoder")
    again = pickle.loads(pickle.dumps(encoder))
    assert (again.encode(["a"]) == encoder.encode(["a"])).all()


def test_other_threads_go_on_meanwhile(encoder):
    texts, beats, done = [f"text number {i} of many" * 8 for i in range(600)], [0], threading.Event()

    def beat():
        while not done.wait(0.001):
            beats[0] += 1

    thread = threading.Thread(target=beat)
    thread.start()
    encoder.encode(texts)
    done.set()
    thread.join()
    assert beats[0] > 10


def test_a_model_says_what_the_program_says(model, rows, tmp_path):
    asked = [*rows[0][:40], {"title": "", "how_to_play": None}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    done = subprocess.run([PROGRAM, "predict", tmp_path / "rows.jsonl", "--model", model.path, "--only", "--json"], capture_output=True, text=True)
    expected = [json.loads(line) for line in done.stdout.splitlines()]
    found = model.answers(asked)
    assert len(found) == len(expected) == 41
    for a, b in zip(found, expected):
        assert a.get("label") == b.get("label") and a.get("reason") == b.get("reason")
        assert a.get("probability") == pytest.approx(b.get("probability"), abs=1e-5)
    proba = model.predict_proba(asked[:40])
    assert proba.shape == (40, 2) and np.allclose(proba.sum(1), 1, atol=1e-5)
    assert (model.classes_[proba.argmax(1)] == model.predict(asked[:40])).mean() > 0.9
    unsure = model.abstain(asked, 0.9)
    assert unsure[40] is None and any(label is None for label in unsure[:40])
    with pytest.raises(ValueError, match="row 40 has no answer"):
        model.predict(asked)


def test_an_explanation_says_what_the_program_says_and_adds_up(model, tmp_path):
    asked = [{"title": "Sort the buttons", "how_to_play": "By colour."}, {"title": "", "how_to_play": None}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    done = subprocess.run([PROGRAM, "predict", tmp_path / "rows.jsonl", "--model", model.path, "--only", "--json", "--explain"],
                          capture_output=True, text=True)
    expected = [json.loads(line) for line in done.stdout.splitlines()]
    found = model.explain(asked)
    why, said = found[0]["explanation"], expected[0]["explanation"]
    assert why["class"] == found[0]["label"] and "nearest" not in why
    assert [word["text"] for word in why["words"]] == ["Sort", "the", "buttons", "By", "colour."]
    for word, other in zip(why["words"], said["words"], strict=True):
        assert word["text"] == other["text"] and word["value"] == pytest.approx(other["value"], abs=1e-4)
    parts = sum(part["value"] for part in why["words"] + why["columns"])
    assert parts == pytest.approx(why["log_odds"] - why["log_odds_of_nothing"], abs=1e-9)
    assert "explanation" not in found[1] and found[1]["label"] is None
    assert "explanation" not in model.answers(asked)[0]
    with pytest.raises(ValueError, match="samples is 3"):
        model.explain(asked, samples=3)


def test_tables_of_other_libraries_are_the_same_rows(model, rows):
    pandas, polars, pyarrow = (pytest.importorskip(name) for name in ["pandas", "polars", "pyarrow"])
    asked = [*rows[0][:10], {"title": "Sort the buttons", "how_to_play": None}]
    expected = model.answers(asked)
    columns = {name: [row[name] for row in asked] for name in FIELDS}
    for table in [columns, pandas.DataFrame(columns), polars.DataFrame(columns), pyarrow.table(columns)]:
        assert model.answers(table) == expected
    texts = [row["title"] for row in asked]
    assert model.answers(pandas.Series(texts)) == model.answers(texts) == model.answers(np.array(texts))
    assert model.answers([]) == [] and model.predict([]).shape == (0,) and model.predict_proba([]).shape == (0, 2)
    with pytest.raises(TypeError, match="list of texts"):
        model.predict("one text")
    with pytest.raises(TypeError, match="row 0 is int"):
        model.predict([3])


def test_a_model_is_pickled_as_its_path_and_a_broken_one_is_said(model, tmp_path):
    assert pickle.loads(pickle.dumps(model)).predict(["Shake the rattle"]) == model.predict(["Shake the rattle"])
    assert len(pickle.dumps(model)) < 1000
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Model(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="model.json"):
        Model(tmp_path)


def test_a_classifier_of_scikit_learn(classifier, rows):
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import estimator_checks

    X, y = rows
    assert set(classifier.classes_) == {"old", "young"}
    assert classifier.score(X, y) > 0.7
    assert 0.5 < classifier.evaluation_["out_of_fold"]["macro_f1"]["value"] <= 1
    other = clone(classifier).set_params(evaluate=False, folder=None, text_fields=None)
    with pytest.raises(NotFittedError):
        other.predict(X)
    # Labels come back as they were given.
    numbers = other.fit([row["title"] for row in X], [int(label == "old") for label in y])
    assert numbers.classes_.dtype.kind == "i" and set(numbers.predict(["Shake the rattle"])) <= {0, 1}
    with pytest.raises(TypeError, match="temporary folder"):
        pickle.dumps(numbers)
    again = pickle.loads(pickle.dumps(classifier))
    assert (again.predict(X[:5]) == classifier.predict(X[:5])).all()
    with pytest.raises(ValueError, match="X has 1 rows, y has 2"):
        clone(other).fit(["a"], [1, 2])
    for name in ["check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_get_params_invariance",
                 "check_set_params", "check_estimator_cloneable", "check_estimator_repr"]:
        getattr(estimator_checks, name)("TextClassifier", TextClassifier())


def test_the_command_is_there():
    said = subprocess.run([sys.executable, "-m", "pipeline", "--version"], capture_output=True, text=True)
    assert said.returncode == 0 and said.stdout.startswith("pipeline ")
    wrong = subprocess.run([sys.executable, "-m", "pipeline", "bild"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "build" in wrong.stderr


def test_the_examples_of_the_readme_run():
    text = (PROJECT / "python" / "README.md").read_text()
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
