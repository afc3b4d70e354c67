"""The default beside scikit-learn on the same vectors, over sizes, classes, shares, wrong labels and lengths of text: the part
`regimes` of scripts/bench.

A cell is a kind of data. In each draw of a cell classes and rows are drawn anew, a share of the training labels is replaced by
others, and every model answers the same test rows, whose labels are right. Where the shares of the classes are uneven, macro-F1 is
also taken on as many test rows of each class.
"""

import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PEERS = ["numpy==2.4.6", "scikit-learn==1.9.1"]
TEST_ROWS = 1000  # at most
LEAST_TEST_ROWS = 25  # of a class, where it has so many
FIGURES = {"accuracy": 1, "macro_f1": 1, "log_loss": -1, "macro_f1_even": 1}
DEFAULT = "pipeline"
# What else the program can do where shares are uneven, beside its default.
SETTINGS = {
    DEFAULT: "",
    "decision accuracy": 'decision = "accuracy"\n',
    "decision macro_f1": 'decision = "macro_f1"\n',
    "decision balanced_accuracy": 'decision = "balanced_accuracy"\n',
    "class weights": 'decision = "accuracy"\n[train]\nclass_weights = true\n',
    "network": 'decision = "accuracy"\n[train]\nhead = "network"\n',
    "network, SMOTE": 'decision = "accuracy"\n[train]\nhead = "network"\n[augment.smote]\nkind = "smote"\n',
}
CONFIG = """name = "run"
seed = {seed}
[data]
files = ["train.csv"]
test_files = ["test.csv"]
text_fields = ["text"]
[label]
column = "label"
[split]
train = 0.9
validation = 0.1
test = 0.0
given_test_duplicates = "keep"
[evaluate]
repeats = 1
{more}"""


def cell(base, rows, classes=None, ratio=1, noise=0.0, draws=5):
    """`classes`: how many are drawn, None for all as they come; `ratio`: rows of the greatest class by those of the least."""
    name = f"{base}, {rows:,} rows, {f'{classes} classes' if classes else 'shares as they come'}"
    name += f", 1:{ratio}" if ratio > 1 else ""
    name += f", {noise:.0%} wrong labels" if noise else ""
    return {"name": name, "base": base, "rows": rows, "classes": classes, "ratio": ratio, "noise": noise, "draws": draws}


SMALL = [cell(base, rows, classes) for base, classes in
         [("themes", 2), ("themes", 4), ("ages", 4), ("Banking77", 6), ("titles", 4), ("indoors", None)] for rows in (20, 50, 100)]
UNEVEN = [cell("theme groups", 400, 2, ratio) for ratio in (4, 16, 50)] + [cell("ages", 400, 4, ratio) for ratio in (4, 16)] + \
         [cell("Banking77", 180, 2, 16), cell("Banking77", 400, 6, 16), cell("ages", 400, 2, 16)] + \
         [cell("cost", rows, None) for rows in (300, 1000)] + [cell("season", rows, None) for rows in (300, 1000)]
NOISE = [cell(base, 400, 4, 1, noise) for base in ("themes", "ages") for noise in (0.1, 0.3)] + \
        [cell("Banking77", 1500, 30, 1, noise) for noise in (0.1, 0.3)]
WORDS = [cell(base, 300, 4) for base in ("three words", "titles", "themes", "long theme groups")]
LARGE = [cell("ages", 300, 4), cell("ages", 1000, 4), cell("ages", 3500, 4), cell("themes", 1000, 20), cell("themes", 3000, 40),
         cell("Banking77", 1000, 10), cell("Banking77", 800, 77), cell("Banking77", 3000, 77, draws=3), cell("Banking77", 9000, 77, draws=2)]
WITH_SETTINGS = [UNEVEN[1], UNEVEN[4], UNEVEN[7]]
GROUPS = {"small": SMALL, "uneven": UNEVEN, "noise": NOISE, "words": WORDS, "large": LARGE}


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- data

def bases(banking):
    """Text and label of each row, for each base."""
    found = defaultdict(list)
    paths = sorted((PROJECT / "data" / "raw").glob("*.csv"))
    for i, path in enumerate(paths):
        steps_of_theme = []
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                steps = " ".join(" ".join(json.loads(row["how_to_play"])).split())
                title = " ".join(row["title"].split())
                age = (float(row["age_min"]) + float(row["age_max"])) / 2
                steps_of_theme.append(steps)
                found["themes"].append((steps, path.stem))
                found["theme groups"].append((steps, f"themes {8 * i // len(paths)}"))
                found["titles"].append((title, path.stem))
                found["three words"].append((" ".join(title.split()[:3]), path.stem))
                found["ages"].append((steps, ["toddler", "preschool", "school", "teen"][sum(age >= edge for edge in (3.5, 7, 11))]))
                found["cost"].append((steps, row["cost"]))
                found["season"].append((steps, row["season"]))
                found["indoors"].append((steps, row["indoor_outdoor"]))
        for start in range(0, len(steps_of_theme) - 3, 4):
            found["long theme groups"].append((" ".join(steps_of_theme[start:start + 4]), f"themes {8 * i // len(paths)}"))
    if banking:
        for name in ("train.csv", "test.csv"):
            with open(Path(banking) / name, encoding="utf-8", newline="") as file:
                found["Banking77"] += [(" ".join(row["text"].split()), row["category"]) for row in csv.DictReader(file)]
    # A text stands once, so that none is in training and test.
    return {name: list({text: (text, label) for text, label in reversed(rows)}.values()) for name, rows in found.items()}


def drawn_labels(by_class, count, wanted, rng):
    """Classes, drawn until each has its rows and some more for the test, or, where there are none such, the largest."""
    enough = sorted(label for label, rows in by_class.items() if len(rows) >= min(wanted) + LEAST_TEST_ROWS)
    for _ in range(1000 if len(enough) >= count else 0):
        labels = rng.sample(enough, count)
        sizes = sorted((len(by_class[label]) for label in labels), reverse=True)
        if all(size >= number + LEAST_TEST_ROWS for size, number in zip(sizes, wanted)):
            return labels
    return sorted(by_class, key=lambda label: -len(by_class[label]))[:count]


def draw(cell, rows, number):
    """Training rows, test rows, and which of the test rows are for the even shares."""
    rng = random.Random(f"{cell['name']} {number}")
    by_class = defaultdict(list)
    for row in rows:
        by_class[row[1]].append(row)
    for of in by_class.values():
        rng.shuffle(of)
    if cell["classes"] is None:
        pool = [row for label in sorted(by_class) for row in by_class[label]]
        rng.shuffle(pool)
        known = [label for label, count in Counter(l for _, l in pool[:cell["rows"]]).items() if count >= 2]
        pool = [row for row in pool if row[1] in known]
        train, rest = pool[:cell["rows"]], pool[cell["rows"]:]
        shares = {label: share / len(train) for label, share in Counter(l for _, l in train).items()}
    else:
        count = cell["classes"]
        weights = [cell["ratio"] ** (-i / max(1, count - 1)) for i in range(count)]
        wanted = [max(2, round(cell["rows"] * weight / sum(weights))) for weight in weights]
        labels = drawn_labels(by_class, count, wanted, rng)
        # The class with the most rows has the greatest share, or there would be too few of it.
        if cell["ratio"] > 1:
            labels.sort(key=lambda label: -len(by_class[label]))
        train, rest, shares = [], [], {}
        for label, number_of_class, weight in zip(labels, wanted, weights):
            number_of_class = min(number_of_class, len(by_class[label]) * 3 // 4)
            train += by_class[label][:number_of_class]
            rest += by_class[label][number_of_class:]
            shares[label] = weight / sum(weights)
    # As many test rows as the shares allow.
    left = Counter(label for _, label in rest)
    most = min([TEST_ROWS, *(int(left[label] / share) for label, share in shares.items() if left[label])])
    same, even, test = Counter(), Counter(), []
    each = min(200, min(left[label] for label in shares))
    flags = []
    for row in rest:
        label = row[1]
        in_same, in_even = same[label] < round(most * shares[label]), even[label] < each
        if in_same or in_even:
            same[label] += in_same
            even[label] += in_even
            test.append(row)
            flags.append((in_same, in_even))
    labels = sorted(shares)
    other = lambda label: rng.choice([l for l in labels if l != label])  # noqa: E731
    train = [(text, other(label) if rng.random() < cell["noise"] else label) for text, label in train]
    rng.shuffle(train)
    return train, test, flags


# ---- models: each gives the class and the probabilities of each test row

def ours(setting, program, cache, train, test, labels, number):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, rows in (("train.csv", train), ("test.csv", test)):
            with open(folder / name, "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *rows])
        (folder / "pipeline.toml").write_text(CONFIG.format(seed=number, more=SETTINGS[setting]))
        (folder / "data" / "embeddings").mkdir(parents=True)
        shutil.copy(cache, folder / "data" / "embeddings" / "cache.redb")
        ran = subprocess.run([program, "build", "--quiet"], cwd=folder, capture_output=True, text=True)
        try:
            with open(folder / "data/models/run/predictions.csv", encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
        except FileNotFoundError as error:
            raise RuntimeError(f"pipeline build failed: {ran.stderr}") from error
    rows.sort(key=lambda row: int(row["line"]))
    assert len(rows) == len(test), f"{len(rows)} answers to {len(test)} rows"
    return [row["predicted"] for row in rows], [[float(row.get(label) or 0.0) for label in labels] for row in rows]


def tuned(model, grid, scoring, y):
    from sklearn.model_selection import GridSearchCV, StratifiedKFold, StratifiedShuffleSplit

    least = min(Counter(y).values())
    if least < 2:
        return model
    folds = StratifiedKFold(min(5, least), shuffle=True, random_state=1)
    if len(y) > 2000:
        folds = StratifiedShuffleSplit(1, test_size=0.2, random_state=1)
    return GridSearchCV(model, grid, scoring=scoring, cv=folds)


def logistic(balanced):
    def answer(x, y, asked):
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(max_iter=2000, class_weight="balanced" if balanced else None)
        grid = {"C": [0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300] if len(y) <= 2000 else [1, 10, 100]}
        model = tuned(model, grid, "f1_macro" if balanced else "neg_log_loss", y).fit(x, y)
        return model.predict(asked), model.predict_proba(asked), model.classes_
    return answer


def machine(x, y, asked):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    grid = {"C": [1, 10, 100], "gamma": [0.5, 1, 2]} if len(y) <= 2000 else {"C": [10]}
    model = tuned(SVC(), grid, "accuracy", y).fit(x, y)
    best = getattr(model, "best_params_", {"C": 10})
    least = min(Counter(y).values())
    if least < 2:
        return model.predict(asked), None, model.classes_
    by = CalibratedClassifierCV(SVC(**best), cv=StratifiedKFold(min(5, least), shuffle=True, random_state=1), ensemble=False).fit(x, y)
    return model.predict(asked), by.predict_proba(asked), by.classes_


def nearest(x, y, asked):
    from sklearn.neighbors import KNeighborsClassifier

    grid = {"n_neighbors": [k for k in (1, 3, 5, 9, 15, 25, 40) if k <= len(y) * 0.6]}
    model = tuned(KNeighborsClassifier(weights="distance"), grid, "accuracy", y).fit(x, y)
    votes = getattr(model, "best_params_", {"n_neighbors": 5})["n_neighbors"]
    # One vote is shared among all classes, or the first mistake would cost infinitely much.
    probabilities = model.predict_proba(asked)
    return model.predict(asked), (probabilities * votes + 1 / probabilities.shape[1]) / (votes + 1), model.classes_


PEER_MODELS = {"tuned LR": logistic(False), "balanced LR": logistic(True), "RBF-SVC": machine, "k-NN": nearest}


def figures(answers, probabilities, truth, flags, labels):
    """The figures of one model's answers to one draw."""
    import numpy as np
    from sklearn.metrics import f1_score

    same, even = (np.array([flag[i] for flag in flags]) for i in (0, 1))
    answers, truth = np.array(answers), np.array(truth)
    found = {
        "accuracy": float((answers == truth)[same].mean()),
        "macro_f1": float(f1_score(truth[same], answers[same], average="macro", zero_division=0)),
        "macro_f1_even": float(f1_score(truth[even], answers[even], average="macro", zero_division=0)),
    }
    if probabilities is not None:
        own = np.array([probabilities[i][labels.index(label)] for i, label in enumerate(truth)])
        found["log_loss"] = float(-np.log(np.maximum(own, 1e-6))[same].mean())
        found["confidence"] = float(np.array(probabilities).max(1)[same].mean())
    return found


# ---- running

def one(task):
    """A model on a draw: its figures."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", RAYON_NUM_THREADS="1")
    import numpy as np

    cell, number, model, folder, program, rows = task
    train, test, flags = draw(cell, rows, number)
    labels, truth = sorted({l for _, l in train} | {l for _, l in test}), [label for _, label in test]
    if model in SETTINGS:
        answers, probabilities = ours(model, program, folder / "data/embeddings/cache.redb", train, test, labels, number)
    else:
        vectors, texts = np.load(folder / "data/embeddings/texts/text.npy", mmap_mode="r"), json.loads((folder / "texts.json").read_text())
        place = {text: i for i, text in enumerate(texts)}
        x, asked = (np.array([vectors[place[text]] for text, _ in part]) for part in (train, test))
        answers, found, order = PEER_MODELS[model](x, np.array([label for _, label in train]), asked)
        probabilities = None
        if found is not None:
            probabilities = np.zeros((len(test), len(labels)))
            probabilities[:, [labels.index(label) for label in order]] = found
    return {"cell": cell["name"], "draw": number, "model": model, **figures(answers, probabilities, truth, flags, labels)}


def embedded(program, rows, folder):
    """Every text, once: the cache for the program and the matrix for the others."""
    texts = sorted({text for of in rows.values() for text, _ in of})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(texts))
    with open(folder / "texts.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((text, f"class {i % 2}") for i, text in enumerate(texts))])
    (folder / "pipeline.toml").write_text(
        'name = "texts"\n[data]\nfiles = ["texts.csv"]\ntext_fields = ["text"]\n[label]\ncolumn = "label"\n')
    subprocess.run([program, "embed"], cwd=folder, check=True)


def regimes(arguments, folder, program):
    """Run what is not on record, and print the tables."""
    rows = bases(arguments.banking)
    cells = [cell for group in arguments.cells for cell in GROUPS[group] if cell["base"] in rows]
    models = {cell["name"]: [DEFAULT, *([s for s in SETTINGS if s != DEFAULT] if arguments.settings and cell in WITH_SETTINGS else []), *PEER_MODELS]
              for cell in cells}
    record = Path(arguments.record) if arguments.record else None
    done = [json.loads(line) for line in record.read_text().splitlines()] if record and record.exists() else []
    known = {(d["cell"], d["draw"], d["model"]) for d in done}
    tasks = [(cell, number, model, folder, program, rows[cell["base"]]) for cell in cells for number in range(cell["draws"])
             for model in models[cell["name"]] if (cell["name"], number, model) not in known]
    if tasks:
        embedded(program, rows, folder)
    with ProcessPoolExecutor(arguments.at_once or len(os.sched_getaffinity(0))) as pool:
        for i, found in enumerate(pool.map(one, tasks), 1):
            done.append(found)
            if record:
                with open(record, "a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
            say(f"{i} of {len(tasks)}: {found['cell']}, draw {found['draw'] + 1}: {found['model']} {found['accuracy']:.3f}")
    names = {cell["name"] for cell in cells}
    return cells, [d for d in done if d["cell"] in names]


# Two-sided 95 % of Student's t with so many draws less one.
STUDENTS = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776}
VERDICTS = ("ahead", "within chance", "behind")


def compared(cells, done):
    """For each figure and cell the mean of each model over the draws, the best other model, the default minus it with its 95 %
    interval over the draws (greater is better), and what that says."""
    by = {(d["cell"], d["draw"], d["model"]): d for d in done}
    found = {figure: {} for figure in FIGURES}
    for figure, sign in FIGURES.items():
        for cell in cells:
            if figure == "macro_f1_even" and cell["ratio"] == 1 and cell["classes"] is not None:
                continue
            draws = range(cell["draws"])
            values = {model: [by.get((cell["name"], draw, model), {}).get(figure) for draw in draws] for model in [DEFAULT, *PEER_MODELS]}
            full = {model: of for model, of in values.items() if None not in of}
            if DEFAULT not in full or len(full) < 2:
                continue
            means = {model: statistics.mean(of) for model, of in full.items()}
            best = max((model for model in full if model != DEFAULT), key=lambda model: sign * means[model])
            differences = [sign * (a - b) for a, b in zip(full[DEFAULT], full[best])]
            mean = statistics.mean(differences)
            half = STUDENTS[cell["draws"] - 1] * statistics.stdev(differences) / len(differences) ** 0.5
            verdict = "ahead" if mean > 0 else "behind" if mean + half < 0 else "within chance"
            found[figure][cell["name"]] = {"means": means, "best": best, "difference": (mean, half), "verdict": verdict}
    return found


def counts(of_cells):
    """In how many cells the default is ahead, within chance and behind."""
    count = Counter(of["verdict"] for of in of_cells.values())
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS)


def tables(found):
    """A table of each figure, for a terminal: its heads and its rows."""
    models = [DEFAULT, *PEER_MODELS]
    for figure, of_cells in found.items():
        rows = [[name, *(f"{of['means'][model]:.3f}" if model in of["means"] else "" for model in models),
                 "{:+.3f} ± {:.3f}".format(*of["difference"]), of["verdict"]] for name, of in of_cells.items()]
        yield f"{figure.replace('_', ' ')}: {counts(of_cells)}", ["", *models, "default - best other", ""], rows


def markdown(found, done):
    """The tables of docs/regimes.md: {name: text}."""
    marks = {"ahead": "**{:.3f}**", "within chance": "{:.3f}", "behind": "{:.3f} ✗"}
    shown = ["accuracy", "macro_f1", "log_loss"]

    def line(name):
        cells = []
        for figure in shown:
            of = found[figure].get(name)
            cells += [marks[of["verdict"]].format(of["means"][DEFAULT]), f"{of['means'][of['best']]:.3f} {of['best']}"] if of else ["", ""]
        return f"| {name} | {' | '.join(cells)} |"

    texts = {"cells": "\n".join(line(name) for name in found["accuracy"])}
    for figure in shown:
        texts[figure] = f"{figure.replace('_', '-').replace('macro-f1', 'macro-F1').replace('log-loss', 'log loss')}: {counts(found[figure])}"
    lines = []
    of_models = {(cell["name"], model): [d for d in done if (d["cell"], d["model"]) == (cell["name"], model)]
                 for cell in WITH_SETTINGS for model in [*SETTINGS, *PEER_MODELS]}
    for cell in WITH_SETTINGS:
        own = {model: of for (name, model), of in of_models.items() if name == cell["name"]}
        if any(len(of) < cell["draws"] for of in own.values()):
            continue
        for model, of in own.items():
            mean = lambda figure: f"{statistics.mean(d[figure] for d in of):.3f}"  # noqa: E731, B023
            lines.append(f"| {cell['name']} | {model} | {mean('accuracy')} | {mean('macro_f1')} | {mean('macro_f1_even')} | {mean('log_loss')} |")
    texts["settings"] = "\n".join(lines)
    return texts
