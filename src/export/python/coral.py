def coral(score, thresholds):
    """Ordered classes by one score: the odds to lie beyond each threshold."""
    beyond = 1 / (1 + np.exp(thresholds - score))
    one = np.ones_like(beyond[..., :1])
    share = np.concatenate([one, beyond], -1) - np.concatenate([beyond, 0 * one], -1)
    return np.log(np.maximum(share, 1e-7))
