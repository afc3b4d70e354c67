#!/usr/bin/env python3
"""Write tests/golden/metrics.json: figures of fixed predictions as scikit-learn and SciPy compute them.

Needs scikit-learn >= 1.7 and SciPy >= 1.12. Run from the repository root; the tests of src/evaluate read the file.
"""

import json

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, t
from sklearn import metrics as m

CLASSES = 4
rng = np.random.default_rng(7)
truth = rng.choice(CLASSES, size=120, p=[0.15, 0.25, 0.35, 0.25])
logits = rng.normal(size=(120, CLASSES)) + 1.6 * np.eye(CLASSES)[truth]
probabilities = np.exp(logits * 1.5) / np.exp(logits * 1.5).sum(1, keepdims=True)
probabilities = np.round(probabilities, 4)
probabilities[:, 0] += 1 - probabilities.sum(1)
predicted = probabilities.argmax(1)


def ece(truth, probabilities, bins=15):
    """Guo et al. 2017: |accuracy - confidence| of equal-width bins of the top probability, weighted by their rows."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(
        (bin_of == b).mean() * abs(right[bin_of == b].mean() - confidence[bin_of == b].mean())
        for b in range(bins)
        if (bin_of == b).any()
    )


def loss_at(log_temperature):
    scaled = probabilities ** (1 / np.exp(log_temperature))
    return m.log_loss(truth, scaled / scaled.sum(1, keepdims=True), labels=range(CLASSES))


def corrected_t(values, test_over_train):
    """Nadeau & Bengio 2003: half-width of the 95 % interval of a mean over resampled folds."""
    n = len(values)
    deviation = np.std(values, ddof=1) * np.sqrt(1 / n + test_over_train)
    return t.ppf(0.975, n - 1) * deviation


folds = [0.71, 0.74, 0.69, 0.75, 0.72, 0.70, 0.73]
precision, recall, f1, support = m.precision_recall_fscore_support(
    truth, predicted, labels=range(CLASSES), zero_division=0
)
reference = {
    "made_by": f"scripts/reference_metrics.py, scikit-learn {sklearn.__version__}, SciPy {scipy.__version__}",
    "truth": truth.tolist(),
    "probabilities": probabilities.tolist(),
    "accuracy": m.accuracy_score(truth, predicted),
    "balanced_accuracy": m.balanced_accuracy_score(truth, predicted),
    "macro_f1": m.f1_score(truth, predicted, average="macro"),
    "weighted_f1": m.f1_score(truth, predicted, average="weighted"),
    "mcc": m.matthews_corrcoef(truth, predicted),
    "quadratic_kappa": m.cohen_kappa_score(truth, predicted, weights="quadratic"),
    "class_error": m.mean_absolute_error(truth, predicted),
    "log_loss": m.log_loss(truth, probabilities, labels=range(CLASSES)),
    "brier": m.brier_score_loss(truth, probabilities, labels=range(CLASSES), scale_by_half=False),
    "ece": ece(truth, probabilities),
    "precision": precision.tolist(),
    "recall": recall.tolist(),
    "f1": f1.tolist(),
    "support": support.tolist(),
    "wilson": list(binomtest(int((truth == predicted).sum()), 120).proportion_ci(method="wilson")),
    "temperature": float(np.exp(minimize_scalar(loss_at, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9}).x)),
    "mcnemar": {"only_first": 9, "only_second": 21, "p": binomtest(9, 30).pvalue},
    "corrected_t": {"folds": folds, "test_over_train": 0.25, "half_width": corrected_t(folds, 0.25)},
}
with open("tests/golden/metrics.json", "w", encoding="utf-8") as file:
    json.dump(reference, file, indent=1)
    file.write("\n")
