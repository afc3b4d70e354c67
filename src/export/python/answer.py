def standardised(raw):
    """Columns as the head sees them: numbers as logarithms where that was learned, missing ones replaced, all within limits."""
    x = raw.copy()
    for i, how in enumerate(MODEL["numeric"]):
        number = np.log1p(np.maximum(x[:, i], 0)) if how["logarithmic"] else x[:, i]
        number = np.where(np.isnan(number), how["missing"], number)
        x[:, i] = np.clip(number, *how["limits"]) if how["limits"] else number
    return (x - MODEL["mean"]) / MODEL["scale"]


def answer(embeddings, rows=()):
    """Probabilities, rows x classes.

    embeddings: a matrix for each of MODEL["fields"]; rows: dicts with what the model sees beside them, a text for each of
    MODEL["fields"] as `pipeline predict` reads it, a number or None for each of MODEL["numeric"], and a list of values in
    lower case for each of MODEL["categorical"]
    """
    parts = [np.asarray(e, float) * w for e, w in zip(embeddings, MODEL["field_weights"], strict=True)]
    if MODEL["mean"]:
        parts.append(standardised(columns(rows)))
    counted = [terms(row) for row in rows] if MODEL["terms"] else []
    return np.exp(log_softmax(logits(np.concatenate(parts, 1), counted) / MODEL["temperature"]))


def label(row):
    """The class that answers a row of probabilities."""
    if MODEL["costs"]:
        return MODEL["classes"][np.argmin(row @ np.array(MODEL["costs"]))]
    divisors = np.array(MODEL["divisors"] or [1.0] * len(row))
    return MODEL["classes"][np.argmax(np.where(divisors > 0, row / np.where(divisors > 0, divisors, 1), 0))]


if __name__ == "__main__":
    from sentence_transformers import SentenceTransformer

    encoder, texts = SentenceTransformer(sys.argv[1]), sys.argv[2:]
    encoder.max_seq_length = MODEL["max_tokens"]
    vectors = encoder.encode(texts)
    rows = [dict.fromkeys(MODEL["fields"], text) for text in texts]
    for text, row in zip(texts, answer([vectors] * len(MODEL["fields"]), rows)):
        print(label(row), f"{row.max():.3f}", text, sep="\t")
