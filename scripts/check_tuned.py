#!/usr/bin/env python3
"""What pipeline-torch's tuning saves, read by transformers: the same logits of a sequence classifier, the same vectors of an encoder.

    scripts/check_tuned.py        needs torch and transformers in this Python, and what `make setup` installs

A test of the crate tunes a small BERT and leaves the folders with what it answers; this compares, and exits 1 where a number
differs by more than 1e-5.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

PROJECT = Path(__file__).resolve().parent.parent
TEST = "tuning::tests::folders::leaves_what_transformers_is_to_read"
MOST = 1e-5


def tokenizer(folder):
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")


def logits(folder, texts):
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    assert model.config.id2label == {0: "sun", 1: "snow"}, model.config.id2label
    assert model.config.label2id == {"sun": 0, "snow": 1}, model.config.label2id
    return model(**tokenizer(folder)(texts, return_tensors="pt", padding=True)).logits


def vectors(folder, texts):
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    batch = tokenizer(folder)(texts, return_tensors="pt", padding=True)
    states, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        command = ["cargo", "test", "--package", "pipeline-torch", "--lib", "--", "--ignored", "--exact", TEST]
        subprocess.run(command, cwd=PROJECT, check=True, env={**os.environ, "PIPELINE_TUNED": scratch})
        scratch = Path(scratch)
        said = json.loads((scratch / "said.json").read_text())
        worst = 0.0
        with torch.no_grad():
            for name, ask in [("classifier", logits), ("encoder", vectors)]:
                found = ask(scratch / name, said["texts"])
                apart = (found - torch.tensor(said[name]).view_as(found)).abs().max().item()
                print(f"{name}: {found.numel()} numbers, {apart:.1e} apart at most")
                worst = max(worst, apart)
    return 0 if worst <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
