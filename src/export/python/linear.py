def linear(x, terms, of):
    return x @ W[of + "weights"].T + W[of + "bias"]
