def kernel(x, terms, of):
    """Gaussian kernels around the landmarks, exp(-|scale * x - landmark|^2), and weights of words and letters."""
    z, marks = x * W[of + "scale"], W[of + "landmarks"]
    distances = (z * z).sum(1)[:, None] + (marks * marks).sum(1) - 2 * z @ marks.T
    answers = np.exp(-np.maximum(distances, 0)) @ W[of + "weights"] + W[of + "bias"]
    for answer, (columns, values) in zip(answers, terms):
        answer += values @ W[of + "term_weights"][columns]
    return answers
