"""Input specification of a configuration: size, channels and normalisation."""

from ml_collections import ConfigDict

from hairjax.config.streams import configured_streams
from hairjax.data.inputs import InputSpecification
from hairjax.data.options import SourceOptions
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS
from hairjax.system.errors import UserError


def image_side(config: ConfigDict) -> int:
    """Side of the model's input, in pixels."""
    return config.data.image_size or native_size(config.model.name)


def stored_side(given: int, side: int) -> int:
    """Side of the stored photographs: as given, or (0) the input's with room for a random crop."""
    return given or round(side * 8 / 7)


def input_specification(config: ConfigDict) -> InputSpecification:
    """Input specification of the model, with the channels and normalisation of each stream.

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
