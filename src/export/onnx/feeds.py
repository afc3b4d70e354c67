def padded(lines, kind):
    width = max([1, *map(len, lines)])
    return np.array([[*line, *[0] * (width - len(line))] for line in lines], kind).reshape(len(lines), width)


def feeds(rows):
    """The inputs of model.onnx by name.

    rows: dicts with a text for each of MODEL["fields"] as `pipeline predict` reads it, a number or None for each of
    MODEL["numeric"], and a list of values in lower case for each of MODEL["categorical"]
    """
    from tokenizers import Tokenizer

    tokenizer, made = Tokenizer.from_file(str(HERE / "tokenizer.json")), {}
    for field in MODEL["fields"]:
        encoded = tokenizer.encode_batch([row[field] for row in rows])
        made[f"{field}.input_ids"] = padded([one.ids for one in encoded], np.int64)
        made[f"{field}.attention_mask"] = padded([one.attention_mask for one in encoded], np.int64)
        made[f"{field}.token_type_ids"] = padded([one.type_ids for one in encoded], np.int64)
    if MODEL["numeric"] or MODEL["categorical"]:
        made["columns"] = columns(rows).astype(np.float32)
    if MODEL["terms"]:
        counted = [terms(row) for row in rows]
        made["terms.columns"] = padded([places for places, _ in counted], np.int64)
        made["terms.values"] = padded([values for _, values in counted], np.float32)
    return made


if __name__ == "__main__":
    import onnxruntime

    session = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])
    rows = [dict.fromkeys(MODEL["fields"], text.strip()) for text in sys.argv[1:]]
    for row, logits in zip(rows, session.run(["logits"], feeds(rows))[0].astype(float)):
        shares = np.exp(logits - logits.max())
        best = shares.argmax()
        print(MODEL["classes"][best], f"{shares[best] / shares.sum():.3f}", row[MODEL["fields"][0]], sep="\t")
