"""Input specification: size, channels and normalisation."""

from ml_collections import ConfigDict

from hairjax.config.streams import configured_streams
from hairjax.data.inputs import InputSpecification
from hairjax.data.options import SourceOptions
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS
from hairjax.system.errors import UserError


def image_side(config: ConfigDict) -> int:
    """Side of the model input in pixels."""
    return config.data.image_size or native_size(config.model.name)


def stored_side(given: int, side: int) -> int:
    """Side of the stored photographs; 0 gives 8/7 of the input, room for random crops."""
    return given or round(side * 8 / 7)


def input_specification(config: ConfigDict) -> InputSpecification:
    """Input specification with channels and normalisation per stream.

    ``auto`` takes the normalisation of the published weights.
    """
    found, normalise_by = configured_streams(config), config.data.normalise
    return InputSpecification(
        side=image_side(config),
        channels=tuple(stream.channels for stream in found),
        normalise=tuple(
            VARIANTS[stream.name].family.normalise if normalise_by == "auto" else normalise_by
            for stream in found
        ),
    )


def require_one_view(source: SourceOptions, caller: str) -> None:
    """Raise if the model sees two views at once, for commands on single photographs.

    Raises:
        UserError: the source has two views.
    """
    if source.two_views:
        raise UserError(
            f"the model sees two views of a subject at once (config.model.second_sees=view), and "
            f"{caller} takes single photographs; launch.py evaluate evaluates the run's own pairs"
        )
