"""What the model of a configuration sees of a photograph: its size, its channels, its colours."""

from ml_collections import ConfigDict

from hairjax.config.streams import streams
from hairjax.data.augment import InputSpecification
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS
from hairjax.system.errors import UserError


def image_side(config: ConfigDict) -> int:
    """Side of what the model sees, in pixels."""
    return config.data.image_size or native_size(config.model.name)


def input_specification(config: ConfigDict) -> InputSpecification:
    """How the model sees photographs, each stream of it.

    RGB is normalised as the configuration says, or as the model's published weights had it.
    """
    found, asked = streams(config), config.data.normalise
    return InputSpecification(
        side=image_side(config),
        channels=tuple(stream.channels for stream in found),
        normalise=tuple(
            VARIANTS[stream.name].family.normalise if asked == "auto" else asked for stream in found
        ),
    )


def stored_side(config: ConfigDict) -> int:
    """Side of what is kept in memory: room for a crop around what the model sees."""
    return config.data.stored_size or round(image_side(config) * 8 / 7)


def sees_masks(config: ConfigDict) -> bool:
    """Whether the model reads the hair mask."""
    return config.model.in_channels != 3


def sees_two_views(config: ConfigDict) -> bool:
    """Whether a sample is two views of a subject."""
    return config.model.second_sees == "view"


def require_one_view(config: ConfigDict, what: str) -> None:
    """Refuse what knows of photographs one by one where the model sees two at once.

    Raises:
        UserError: it does.
    """
    if sees_two_views(config):
        raise UserError(
            f"the model sees two views of a subject at once (config.model.second_sees=view), and "
            f"{what} takes photographs one by one; launch.py evaluate judges the run's own pairs"
        )
