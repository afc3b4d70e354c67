def network(x, terms, of, layers, logs):
    """The mean probability of the members, as logarithm; batch norm is part of the weights."""
    x = x[None]
    for i in range(layers):
        x = (np.maximum(x, 0) if i else x) @ W[f"{of}layer{i}.weights"] + W[f"{of}layer{i}.bias"]
    return np.log(np.exp(logs(x, W.get(of + "thresholds"))).mean(0))
