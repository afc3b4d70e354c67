def neighbours(x, terms, of, nearest, width, prior_votes):
    """Votes of the nearest remembered rows, each for its shares of the classes."""
    answers = []
    for z in x * W[of + "scale"]:
        distances = ((W[of + "rows"] - z) ** 2).sum(1)
        near = np.argsort(distances, kind="stable")[:nearest]
        votes = np.exp((distances[near[0]] - distances[near]) / width) @ W[of + "answers"][near]
        answers.append(np.log(np.maximum((votes + W[of + "prior"]) / (votes.sum() + prior_votes), 1e-6)))
    return np.array(answers) + W[of + "bias"]
