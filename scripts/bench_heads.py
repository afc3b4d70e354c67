#!/usr/bin/env python3
"""Small heads trained together (`train.members`) against the same heads one after another in PyTorch.

    python3 scripts/bench_heads.py [heads] [rounds]

Needs PyTorch (pip install torch). Rows, layers, optimiser, batches, epochs and the scoring after each epoch are the same
on both sides; each is run alternately, and medians and their ratio are printed. PyTorch is measured with one thread and with
all, and the better of the two counts. Random inputs: the time does not depend on them.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import torch

ROWS, VALIDATION, INPUTS, CLASSES, HIDDEN, EPOCHS, BATCH = 3750, 470, 384, 4, 64, 10, 64


def data(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(rows, INPUTS, generator=generator) * 0.2 - 0.1
    return x, (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()


def train_one(x, y, vx, vy):
    model = torch.nn.Sequential(
        torch.nn.Linear(INPUTS, HIDDEN), torch.nn.BatchNorm1d(HIDDEN), torch.nn.ReLU(), torch.nn.Dropout(0.3),
        torch.nn.Linear(HIDDEN, CLASSES),
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loss = torch.nn.CrossEntropyLoss()
    for _ in range(EPOCHS):
        model.train()
        for batch in torch.randperm(ROWS).split(BATCH):
            optimiser.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            for ax, ay in ((x, y), (vx, vy)):
                scores = model(ax)
                loss(scores, ay).item(), (scores.argmax(1) == ay).float().mean().item()
    return (model(vx).argmax(1) == vy).float().mean().item()


def in_pytorch(heads, threads):
    torch.set_num_threads(threads)
    (x, y), (vx, vy) = data(ROWS, 1), data(VALIDATION, 2)
    begin = time.perf_counter()
    for _ in range(heads):
        train_one(x, y, vx, vy)
    return time.perf_counter() - begin


def program():
    built = subprocess.run(
        ["cargo", "bench", "--package", "pipeline-torch", "--bench", "heads", "--no-run", "--message-format", "json"],
        check=True, capture_output=True, text=True,
    )
    lines = map(json.loads, built.stdout.splitlines())
    return [line["executable"] for line in lines if line.get("executable") and line["target"]["name"] == "heads"][0]


def main():
    heads, rounds = (int(v) for v in (sys.argv[1:] + ["15", "5"][len(sys.argv) - 1 :]))
    ours = program()
    times = {"together": [], "PyTorch, 1 thread": [], "PyTorch, all threads": []}
    for _ in range(rounds):
        ran = subprocess.run([ours, str(heads)], check=True, capture_output=True, text=True)
        times["together"].append(json.loads(ran.stdout)["seconds"])
        times["PyTorch, 1 thread"].append(in_pytorch(heads, 1))
        times["PyTorch, all threads"].append(in_pytorch(heads, os.cpu_count()))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{heads} heads {INPUTS}→{HIDDEN}→{CLASSES}, {ROWS} rows, {EPOCHS} epochs, batch {BATCH}; median of {rounds}, PyTorch {torch.__version__}")
    for name, values in times.items():
        print(f"  {name:<22} {medians[name]:.2f} s  ({min(values):.2f} – {max(values):.2f})")
    best = min(medians[name] for name in medians if name != "together")
    print(f"  together is {best / medians['together']:.2f} times as fast as PyTorch one after another")


if __name__ == "__main__":
    main()
