"""What a model of a test is built with."""

import jax.numpy as jnp

from hairjax.models.options import ModelOptions


def options(**changes):
    """Those of a plain model, but for the changes."""
    plain = {
        "image_size": (64, 64),
        "in_channels": 3,
        "num_classes": 10,
        "dropout": 0.0,
        "drop_path": 0.0,
        "hidden": (),
        "head": "softmax",
        "mask_shifted": True,
        "dtype": jnp.float32,
        "remat": False,
    }
    return ModelOptions(**plain | changes)
