"""Pretrained weights: find, read, and fit them to a model."""

from hairjax.system.errors import UserError


class WeightsError(UserError):
    """Weights not found, unreadable, or not fitting the model; the message says what to do."""
