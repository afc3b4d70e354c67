#!/usr/bin/env python3
"""Write tests/golden/smote.json: rows that imbalanced-learn's SMOTE and BorderlineSMOTE make of a small dataset.

Needs imbalanced-learn >= 0.12. Run from the repository root; the tests of src/augment read the file. Beside the rows it
keeps the random draws behind them (which neighbour of which row, and how far towards it), so that another implementation
can be given the same draws.
"""

import json

import imblearn
import numpy as np
from imblearn.over_sampling import SMOTE, BorderlineSMOTE

COUNTS, DIMS, K, M, SEED = [30, 14, 6], 3, 3, 10, 5
rng = np.random.default_rng(3)
truth = np.repeat(np.arange(len(COUNTS)), COUNTS)
rows = np.round(rng.normal(size=(len(truth), DIMS)) + truth[:, None] * 0.9, 3)


def draws(seed, seeds_of, want):
    """The draws of imblearn's _make_samples, from the same seed for each class: index row·k + neighbour, and step."""
    made = []
    for seed_rows, count in zip(seeds_of, want):
        state = np.random.RandomState(seed)
        indices = state.randint(low=0, high=seed_rows * K, size=count)
        steps = state.uniform(size=count)
        made.append({"indices": indices.tolist(), "steps": steps.tolist()})
    return made


want = [COUNTS[0] - n for n in COUNTS[1:]]
result = {"imblearn": imblearn.__version__, "k": K, "m": M, "rows": rows.tolist(), "classes": truth.tolist()}
plain = SMOTE(k_neighbors=K, random_state=SEED).fit_resample(rows, truth)[0][len(rows) :]
result["smote"] = {"draws": draws(SEED, COUNTS[1:], want), "made": plain.tolist()}

borderline = BorderlineSMOTE(k_neighbors=K, m_neighbors=M, random_state=SEED, kind="borderline-1")
made, made_classes = borderline.fit_resample(rows, truth)
danger = {}
for target in (1, 2):
    mask = borderline._in_danger_noise(borderline.nn_m_, rows[truth == target], target, truth, kind="danger")
    danger[str(target)] = np.flatnonzero(truth == target)[mask].tolist()
result["borderline"] = {"danger": danger, "made": np.bincount(made_classes[len(rows) :], minlength=3).tolist()}
with open("tests/golden/smote.json", "w", encoding="utf-8") as file:
    json.dump(result, file, indent=None, separators=(",", ":"))
    file.write("\n")
