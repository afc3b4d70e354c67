"""A trained model: texts or tables to labels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import _pipeline
from .rows import rows_of

if TYPE_CHECKING:
    import numpy as np


class Model:
    """The model in a folder that ``pipeline build`` left, such as ``data/models/tickets``.

    ``encoders`` names the folders of its encoders, where they lie elsewhere on this machine. What is asked may be a list of texts (each stands
    in every text field), a list of dicts, a table of pandas, polars or Arrow, or a dict of columns. Several threads may share one; pickled,
    it is its path.
    """

    def __init__(self, path: str | os.PathLike[str], *, encoders: Iterable[str | os.PathLike[str]] = (),
                 any_arithmetic: bool = False) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._arguments = (self.path, [os.fspath(folder) for folder in encoders], any_arithmetic)
        self._model = _pipeline.Model(*self._arguments)

    @property
    def classes_(self) -> np.ndarray:
        """The classes, in the order of the probabilities: an array of str."""
        import numpy as np

        return np.array(self._model.classes, dtype=object)

    @property
    def text_fields(self) -> list[str]:
        """The columns with text."""
        return self._model.text_fields

    @property
    def columns(self) -> list[str]:
        """All columns that it reads."""
        return self._model.columns

    def card(self) -> dict[str, Any]:
        """``model.json`` as a dict: what it was trained with."""
        return json.loads(self._model.card())

    def answers(self, rows: Any, min_confidence: float = 0.0) -> list[dict[str, Any]]:
        """What ``pipeline predict --only --json`` says of each row: a list of dicts with ``label``, ``probability``, ``probabilities``, and
        where they apply ``reason``, ``range``, ``tasks`` and ``unlike_training``."""
        return self._answers(rows, min_confidence, None)

    def explain(self, rows: Any, samples: int = 32) -> list[dict[str, Any]]:
        """As :meth:`answers`, and why: what ``pipeline predict --only --json --explain`` says of each row, without the rows of the training.

        ``explanation`` is a dict with ``class``, ``log_odds``, ``log_odds_of_nothing`` (of a row without words and columns), and ``words``,
        ``fields`` and ``columns``, dicts with ``value``: what each adds to the log-odds of the class. The values of words and columns add up to
        ``log_odds - log_odds_of_nothing``. Where not every set of words was asked, each has a ``standard_error`` above 0, which four times as
        many ``samples`` halve. A row takes as long as some hundred to two thousand answers.

        :raises ValueError: ``samples`` is below 4 or above 1024.
        """
        if not 4 <= samples <= 1024:
            raise ValueError(f"samples is {samples}; give 4 to 1024")
        return self._answers(rows, 0.0, samples)

    def _answers(self, rows, min_confidence, samples):
        lines = "".join(json.dumps(row) + "\n" for row in rows_of(rows, self._model.text_fields))
        return [json.loads(line) for line in self._model.answers(lines, min_confidence, samples).splitlines()]

    def predict(self, rows: Any) -> np.ndarray:
        """The label of each row: an array of str.

        :raises ValueError: a row has no answer, such as one without text; :meth:`abstain` and :meth:`answers` go on.
        """
        return _labels(self._answered(rows))

    def predict_proba(self, rows: Any) -> np.ndarray:
        """The calibrated probabilities, float64 of shape ``(rows, classes)``.

        :raises ValueError: a row has no answer.
        """
        import numpy as np

        classes = self._model.classes
        found = [[answer["probabilities"][name] for name in classes] for answer in self._answered(rows)]
        return np.array(found, dtype=float).reshape(len(found), len(classes))

    def abstain(self, rows: Any, below: float) -> np.ndarray:
        """The label of each row, ``None`` where it has none or its probability is below ``below``: an array of objects."""
        return _labels(self.answers(rows, below))

    def _answered(self, rows):
        answers = self.answers(rows)
        for place, answer in enumerate(answers):
            if "probabilities" not in answer:
                raise ValueError(f"row {place} has no answer: {answer.get('reason')}")
        return answers

    def __reduce__(self):
        return _model, self._arguments

    def __repr__(self):
        return f"Model({self.path!r})"


def _labels(answers):
    import numpy as np

    labels = np.empty(len(answers), dtype=object)
    labels[:] = [answer["label"] for answer in answers]
    return labels


def _model(path, encoders, any_arithmetic):
    return Model(path, encoders=encoders, any_arithmetic=any_arithmetic)
