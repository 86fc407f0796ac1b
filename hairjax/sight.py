"""What the model of a configuration sees of a photograph: its size, its channels, its colours."""

from ml_collections import ConfigDict

from hairjax.config import streams
from hairjax.data.augment import Channels, Normalise
from hairjax.models import VARIANTS, native_size


def image_side(config: ConfigDict) -> int:
    """Side of what the model sees, in pixels."""
    return config.data.image_size or native_size(config.model.name)


def input_channels(config: ConfigDict) -> Channels:
    """How many channels the model sees; of two streams, each."""
    first, *others = (stream.channels for stream in streams(config))
    return (first, *others) if others else first


def normalisation(config: ConfigDict) -> Normalise:
    """How the model sees RGB: as the configuration says, or as its published weights did.

    Of two streams, each.
    """
    asked = config.data.normalise
    first, *others = (
        VARIANTS[stream.name].family.normalise if asked == "auto" else asked
        for stream in streams(config)
    )
    return (first, *others) if others else first


def stored_side(config: ConfigDict) -> int:
    """Side of what is kept in memory: room for a crop around what the model sees."""
    return config.data.stored_size or round(image_side(config) * 8 / 7)


def sees_masks(config: ConfigDict) -> bool:
    """Whether the model reads the hair mask."""
    return config.model.in_channels != 3
