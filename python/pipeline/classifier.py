"""Training from Python: a scikit-learn classifier whose fit runs the stages of `pipeline build`."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from .model import Model
from .rows import rows_of

LABEL = "label"
TEXT = "text"


class TextClassifier(ClassifierMixin, BaseEstimator):
    """A text classifier, trained, calibrated and evaluated by the stages of ``pipeline build``.

    Parameters
    ----------
    folder : path, default None
        The project's folder: table, pipeline.toml, model and report.html stay there. None for a temporary one.
    text_fields : list of str, default None
        The columns with text; None for those that ``pipeline init`` finds.
    head : str, default "kernel"
        ``train.head`` of pipeline.toml.
    encoder : str, default "all-MiniLM-L6-v2"
        ``encoder.model`` of pipeline.toml.
    evaluate : bool, default True
        Cross-validate, too: probabilities are calibrated and ``evaluation_`` is there. Without it, training takes a fraction of the time.
    random_state : int, default 42
        ``seed`` of pipeline.toml.

    Attributes
    ----------
    classes_ : array of the classes, in the order of the probabilities
    model_ : Model
    evaluation_ : dict, what ``metrics.json`` says; None without ``evaluate``
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, text_fields: list[str] | None = None, head: str = "kernel",
                 encoder: str = "all-MiniLM-L6-v2", evaluate: bool = True, random_state: int = 42) -> None:
        self.folder = folder
        self.text_fields = text_fields
        self.head = head
        self.encoder = encoder
        self.evaluate = evaluate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> TextClassifier:
        """Train on texts or a table ``X`` with the labels ``y``."""
        rows, labels = rows_of(X, [TEXT]), [str(label) for label in np.asarray(y, dtype=object).ravel()]
        if len(rows) != len(labels):
            raise ValueError(f"X has {len(rows)} rows, y has {len(labels)}")
        if not rows:
            raise ValueError("X has no rows")
        names = list(dict.fromkeys(name for row in rows for name in row))
        label = next(name for name in [LABEL, *(f"{LABEL} {i}" for i in range(len(names) + 1))] if name not in names)
        # A temporary folder lives as long as the classifier does.
        self._temporary = None if self.folder is not None else tempfile.TemporaryDirectory(prefix="pipeline-")
        folder = Path(self._temporary.name if self._temporary else self.folder)
        (folder / "data" / "raw").mkdir(parents=True, exist_ok=True)
        with open(folder / "data" / "raw" / "rows.csv", "w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow([*names, label])
            for row, of in zip(rows, labels):
                out.writerow([*("" if row.get(name) is None else row[name] for name in names), of])
        texts = self.text_fields or ([TEXT] if names == [TEXT] else [])
        command = ["init", "data/raw/rows.csv", "--name", "model", "--label", label, "--yes", "--force", "--json"]
        self._run(folder, [*command, *(part for text in texts for part in ("--text", text))])
        self._configure(folder / "pipeline.toml")
        self._run(folder, ["build", "--json", *([] if self.evaluate else ["--to", "train"])])
        self.model_ = Model(folder / "data" / "models" / "model")
        kinds = {str(value): value for value in np.asarray(y, dtype=object).ravel()}
        self.classes_ = np.array([kinds[name] for name in self.model_.classes_])
        metrics = folder / "data" / "models" / "model" / "metrics.json"
        self.evaluation_ = json.loads(metrics.read_text()) if self.evaluate else None
        return self

    def _configure(self, path):
        """The parameters in the file that `pipeline init` wrote."""
        lines = path.read_text(encoding="utf-8").splitlines()
        for section, key, value in [("", "seed", self.random_state), ("encoder", "model", self.encoder), ("train", "head", self.head)]:
            _set(lines, section, f"{key} = {json.dumps(value)}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @staticmethod
    def _run(folder, arguments):
        done = subprocess.run([sys.executable, "-m", "pipeline", *arguments], cwd=folder, capture_output=True, text=True,
                              encoding="utf-8", env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
        if done.returncode != 0:
            raise ValueError(done.stderr.strip() or f"pipeline {arguments[0]} ended with {done.returncode}")

    @property
    def _by_name(self):
        return dict(zip(self.model_.classes_, self.classes_))

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row, as it was in y."""
        check_is_fitted(self)
        by_name = self._by_name
        return np.array([by_name[name] for name in self.model_.predict(X)])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float64 of shape ``(rows, classes)``."""
        check_is_fitted(self)
        return self.model_.predict_proba(X)

    def abstain(self, X: Any, below: float) -> np.ndarray:
        """The label of each row, None where its probability is below ``below``."""
        check_is_fitted(self)
        by_name = self._by_name
        labels = [by_name.get(name) for name in self.model_.abstain(X, below)]
        found = np.empty(len(labels), dtype=object)
        found[:] = labels
        return found

    def __getstate__(self):
        if getattr(self, "_temporary", None) is not None:
            raise TypeError("its model is in a temporary folder; give `folder` to keep it, and pickle will hold the path")
        return super().__getstate__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _set(lines, section, wanted):
    """Let a section of a TOML file say `wanted`, a key and its value: in the place of that key, or as the section's first."""
    key = wanted.split(" = ")[0]
    header = f"[{section}]"
    if section and header not in lines:
        lines += ["", header]
    start = lines.index(header) + 1 if section else 0
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("[")), len(lines))
    found = [i for i in range(start, end) if lines[i].split("=")[0].strip() == key]
    if found:
        lines[found[0]] = wanted
    else:
        lines.insert(start, wanted)
