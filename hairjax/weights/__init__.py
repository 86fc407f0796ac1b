"""Weights from elsewhere: found, read, and fitted to a model."""

from hairjax.system.errors import UserError


class WeightsError(UserError):
    """The weights cannot be found, read, or fitted to the model; the message says what to do."""
