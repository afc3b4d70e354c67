def corn(scores, _):
    """Ordered classes: the odds to pass each threshold once the one before is passed."""
    none = np.zeros_like(scores[..., :1])
    passed = np.concatenate([none, np.cumsum(-np.logaddexp(0, -scores), -1)], -1)
    return passed + np.concatenate([-np.logaddexp(0, scores), none], -1)
