#!/usr/bin/env python3
"""Write tests/golden/svm.json: what scikit-learn's support vector machines (LIBLINEAR) answer to a few rows.

Needs scikit-learn >= 1.4. Run from the repository root; the tests of src/baseline read the file. The machine with a Gaussian
kernel is LinearSVC on the rows of the kernel's Cholesky factor, so that its bias is penalised as a linear machine's is;
SVC, whose bias is free, must give all but rows at the border the same class.
"""

import json

import numpy as np
import sklearn
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, LinearSVC

GAMMA = 0.7
rng = np.random.default_rng(5)


def rows(count):
    points = np.round(rng.normal(size=(count, 4)), 3)
    inside = (points[:, :2] ** 2).sum(axis=1) + 0.4 * rng.normal(size=count) < 1.2
    return points, np.where(inside, 1.0, -1.0)


(train, signs), (test, _) = rows(80), rows(12)
costs = np.round(rng.uniform(0.3, 3.0, size=len(train)), 2)
factor = np.linalg.cholesky(rbf_kernel(train, gamma=GAMMA) + 1e-12 * np.eye(len(train)))
features = np.linalg.solve(factor, rbf_kernel(train, test, gamma=GAMMA)).T


def answers(x, asked, loss):
    machine = LinearSVC(loss=loss, dual=True, C=1.0, tol=1e-10, max_iter=10_000_000, random_state=0)
    return machine.fit(x, signs, sample_weight=costs).decision_function(asked)


result = {
    "sklearn": sklearn.__version__,
    "train": train.tolist(),
    "signs": signs.tolist(),
    "costs": costs.tolist(),
    "test": test.tolist(),
    "gamma": GAMMA,
}
for name, x, asked in [("linear", train, test), ("gaussian", factor, features)]:
    found = {loss: answers(x, asked, loss) for loss in ["hinge", "squared_hinge"]}
    result[name] = [{"loss": loss, "answers": values.tolist()} for loss, values in found.items()]
    if name == "gaussian":
        free = SVC(C=1.0, gamma=GAMMA).fit(train, signs, sample_weight=costs).decision_function(test)
        clear = np.abs(free) > 0.1
        assert clear.sum() > 6 and (np.sign(free) == np.sign(found["hinge"]))[clear].all()
with open("tests/golden/svm.json", "w", encoding="utf-8") as file:
    json.dump(result, file, separators=(",", ":"))
    file.write("\n")
