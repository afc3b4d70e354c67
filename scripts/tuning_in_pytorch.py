"""What `scripts/bench train` has PyTorch do: the tuning of crates/torch in PyTorch and transformers, epoch by epoch.

    tuning_in_pytorch.py ENCODER ROWS DEPTH FORMAT EPOCHS

ROWS is JSON: train and validation, each texts and labels, and classes. DEPTH is full or top-N, FORMAT f32 or bf16 (products by
autocast, weights in float32). Prints the versions, then the seconds of the processor of each epoch, its validation included. On one thread.
"""

import json
import random
import sys
import time

import torch
import transformers
from transformers import AutoModel, AutoTokenizer

BATCH, MOST_TOKENS, RATE, HEAD_RATE, CLIP = 16, 256, 5e-5, 2e-3, 1.0


def main(folder, rows, depth, number_format, epochs):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    with open(rows, encoding="utf-8") as file:
        data = json.load(file)
    tokenizer, bert = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, add_pooling_layer=False)
    head = torch.nn.Linear(bert.config.hidden_size, data["classes"])
    bert.train()
    if depth != "full":
        # What does not learn drops nothing either.
        for frozen in [bert.embeddings, *bert.encoder.layer[:-int(depth.removeprefix("top-"))]]:
            frozen.requires_grad_(False).eval()
    learns = [weight for weight in bert.parameters() if weight.requires_grad]
    # The faster of its AdamWs.
    optimizer = torch.optim.AdamW([{"params": learns, "lr": RATE}, {"params": head.parameters(), "lr": HEAD_RATE}], fused=True)
    drop = torch.nn.Dropout(0.1)

    def prepared(part):
        ids = tokenizer(part["texts"], truncation=True, max_length=MOST_TOKENS)["input_ids"]
        batches = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        batches = [batches[i:i + BATCH] for i in range(0, len(batches), BATCH)]

        def of(batch):
            texts = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
            return texts, torch.tensor([part["labels"][i] for i in batch])
        return [of(batch) for batch in batches]

    def loss(texts, labels):
        with torch.autocast("cpu", torch.bfloat16, enabled=number_format == "bf16"):
            states = bert(**texts).last_hidden_state.float()
            mask = texts["attention_mask"].unsqueeze(-1)
            vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
            answers = head(drop(vectors * bert.config.hidden_size ** 0.5))
        return torch.nn.functional.cross_entropy(answers.float(), labels)

    train, validation = prepared(data["train"]), prepared(data["validation"])
    print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}", flush=True)
    for _ in range(epochs):
        begin = time.process_time()
        random.shuffle(train)
        for batch in train:
            optimizer.zero_grad()
            value = loss(*batch)
            value.backward()
            torch.nn.utils.clip_grad_norm_([*learns, *head.parameters()], CLIP)
            optimizer.step()
            value.item()
        bert.eval(), drop.eval()
        with torch.no_grad():
            total = sum(loss(*batch).item() for batch in validation)
        bert.train(), drop.train()
        if depth != "full":
            for frozen in [bert.embeddings, *bert.encoder.layer[:-int(depth.removeprefix("top-"))]]:
                frozen.eval()
        print(json.dumps({"seconds": time.process_time() - begin, "validation": total / len(validation)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
