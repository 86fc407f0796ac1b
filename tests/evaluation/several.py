"""Predictions of several configurations on the same photographs."""

import numpy as np


def draw(configurations, seeds=1, n=60, people=0, right=0.7, seed=0):
    """Labels, [n, k] of each seed of each configuration, and the unit of each photograph.

    `right` is the share of photographs given their class, one number or one for each configuration.
    """
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, n)
    unit = np.arange(n)
    if people:
        unit = np.unique(generator.integers(0, people, n), return_inverse=True)[1]
    found = []
    for share in np.broadcast_to(right, configurations):
        guesses = [
            np.where(generator.random(n) < share, labels, generator.integers(0, 3, n))
            for _ in range(seeds)
        ]
        found.append([certain(guess) for guess in guesses])
    return labels, found, unit


def certain(guess, classes=3):
    p = np.full((len(guess), classes), 0.1)
    p[np.arange(len(guess)), guess] += 1 - p[0].sum()
    return p
