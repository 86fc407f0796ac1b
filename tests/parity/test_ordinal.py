"""Ordinal heads against statsmodels and the CORN authors' own coral-pytorch.

Run with ``python -m pytest tests/parity -s``; needs torch, statsmodels and coral-pytorch.
"""

import numpy as np
import optax
import pytest
import torch

from hairjax.models.heads.ordinal import corn_log_probabilities, cumulative_log_probabilities

corn_losses = pytest.importorskip("coral_pytorch.losses")
corn_datasets = pytest.importorskip("coral_pytorch.dataset")
ordinal_model = pytest.importorskip("statsmodels.miscmodels.ordinal_model")

CLASSES, COUNT = 5, 300
RNG = np.random.default_rng(0)
LABELS = np.concatenate([np.arange(CLASSES), RNG.integers(0, CLASSES, COUNT - CLASSES)])


def test_cumulative_is_statsmodels_proportional_odds():
    features, coefficients = RNG.normal(size=(COUNT, 3)), np.array([0.7, -1.2, 0.3])
    thresholds = np.array([-1.5, 0.2, -0.4, 0.6])
    theirs = ordinal_model.OrderedModel(LABELS, features, distr="logit")
    parameters = np.concatenate([coefficients, thresholds])
    ours = cumulative_log_probabilities(np.float32(features @ coefficients), np.float32(thresholds))
    np.testing.assert_allclose(np.exp(ours), theirs.predict(parameters, features), atol=1e-6)
    loss = optax.softmax_cross_entropy_with_integer_labels(ours, LABELS).mean()
    assert loss == pytest.approx(-theirs.loglike(parameters) / COUNT, rel=1e-5)


def test_corn_is_coral_pytorchs_but_for_what_it_divides_by():
    logits = RNG.normal(size=(COUNT, CLASSES - 1)).astype(np.float32) * 2
    ours = corn_log_probabilities(logits)
    loss = optax.softmax_cross_entropy_with_integer_labels(ours, LABELS).mean()
    theirs = corn_losses.corn_loss(torch.tensor(logits), torch.tensor(LABELS), CLASSES)
    tasks = np.minimum(LABELS + 1, CLASSES - 1).sum()  # that the photographs train, all together
    assert loss == pytest.approx(float(theirs) * tasks / COUNT, rel=1e-5)
    above = 1 - np.cumsum(np.exp(ours), axis=1)[:, :-1]
    ranks = corn_datasets.corn_label_from_logits(torch.tensor(logits))
    np.testing.assert_array_equal((above > 0.5).sum(axis=1), ranks)
