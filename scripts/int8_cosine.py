#!/usr/bin/env python3
"""How near embeddings in int8 come to those in float32: why there is no `encoder.precision = "int8"`.

    scripts/int8_cosine.py FOLDER     the encoder's files, as `make` leaves them in ~/.cache/pipeline/all-MiniLM-L6-v2

Needs PyTorch and transformers. As in LLM.int8 (Dettmers, Lewis, Belkada & Zettlemoyer 2022, arXiv 2208.07339): weights
symmetric per output channel, activations per token, and columns in which any activation of the batch is above a threshold
in bfloat16. Products are made in float32 of whole numbers, and so exact; attention is in float32. Texts are the 100 of
tests/golden/minilm_reference.json and every tenth row's how_to_play of data/raw, 500 at most.
"""

import copy
import csv
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

PROJECT = Path(__file__).resolve().parent.parent
THRESHOLDS = [None, 6.0, 4.0, 3.0, 2.0]


class Int8(torch.nn.Module):
    def __init__(self, linear, threshold):
        super().__init__()
        self.weight, self.bias, self.threshold = linear.weight.detach(), linear.bias.detach(), threshold
        self.scale = self.weight.abs().amax(1, keepdim=True) / 127
        self.whole = (self.weight / self.scale).round()
        self.outliers, self.columns = 0, 0

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        none = torch.zeros(rows.shape[1], dtype=torch.bool)
        outlier = none if self.threshold is None else rows.abs().amax(0) > self.threshold
        self.outliers, self.columns = self.outliers + int(outlier.sum()), self.columns + len(outlier)
        rest = rows.masked_fill(outlier, 0.0)
        scale = rest.abs().amax(1, keepdim=True).clamp_min(1e-9) / 127
        y = (rest / scale).round() @ self.whole.T * scale * self.scale.T
        y += rows[:, outlier].bfloat16().float() @ self.weight[:, outlier].bfloat16().float().T
        return (y + self.bias).reshape(*x.shape[:-1], -1)


def in_int8(module, threshold):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Int8(child, threshold))
        else:
            in_int8(child, threshold)


def embedded(model, tokenizer, texts):
    out = []
    for start in range(0, len(texts), 16):
        batch = tokenizer(texts[start : start + 16], padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        out.append(torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1))
    return torch.cat(out)


def main():
    folder = sys.argv[1]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    reference = json.loads((PROJECT / "tests/golden/minilm_reference.json").read_text())
    raw = [row["how_to_play"] for path in sorted((PROJECT / "data/raw").glob("*.csv")) for row in csv.DictReader(path.open())]
    texts = {"references": [item["text"] for item in reference["items"]], "data/raw": raw[::10][:500]}
    exact = {name: embedded(model, tokenizer, of) for name, of in texts.items()}
    for threshold in THRESHOLDS:
        other = copy.deepcopy(model)
        in_int8(other.encoder, threshold)
        for name, of in texts.items():
            cosines = (embedded(other, tokenizer, of) * exact[name]).sum(1)
            linear = [m for m in other.modules() if isinstance(m, Int8)]
            share = sum(m.outliers for m in linear) / sum(m.columns for m in linear)
            print(f"threshold {threshold}: {name}: least cosine {cosines.min():.4f}, mean {cosines.mean():.4f}; {share:.1%} of columns in bfloat16")


if __name__ == "__main__":
    main()
