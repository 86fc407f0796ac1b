"""What the model of a configuration sees of a photograph: its size, its channels, its colours."""

from ml_collections import ConfigDict

from hairjax.config.streams import configured_streams
from hairjax.data.inputs import InputSpecification
from hairjax.data.options import SourceOptions
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS
from hairjax.system.errors import UserError


def image_side(config: ConfigDict) -> int:
    """Side of what the model sees, in pixels."""
    return config.data.image_size or native_size(config.model.name)


def stored_side(config: ConfigDict) -> int:
    """Side of what is kept in memory: room for a crop around what the model sees."""
    return config.data.stored_size or round(image_side(config) * 8 / 7)


def input_specification(config: ConfigDict) -> InputSpecification:
    """How the model sees photographs, each stream of it.

    RGB is normalised as the configuration says, or as the model's published weights had it.
    """
    found, asked = configured_streams(config), config.data.normalise
    return InputSpecification(
        side=image_side(config),
        channels=tuple(stream.channels for stream in found),
        normalise=tuple(
            VARIANTS[stream.name].family.normalise if asked == "auto" else asked for stream in found
        ),
    )


def require_one_view(source: SourceOptions, what: str) -> None:
    """Refuse what knows of photographs one by one where the model sees two at once.

    Raises:
        UserError: it does.
    """
    if source.two_views:
        raise UserError(
            f"the model sees two views of a subject at once (config.model.second_sees=view), and "
            f"{what} takes photographs one by one; launch.py evaluate judges the run's own pairs"
        )
