"""Options of every model, and checks for the families that cannot take some."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from hairjax.system.errors import UserError


@dataclass(frozen=True)
class ModelOptions:
    """Options to build a model, whatever its family.

    Attributes:
        image_size: height and width of the photographs.
        in_channels: channels of the photographs.
        num_classes: width of the logits.
        dropout: dropout rate in the head.
        drop_path: stochastic-depth rate of the last block; it rises linearly from 0.
        hidden: sizes of hidden layers in the head.
        head: kind of its last layer, one of ``ordinal.HEADS``.
        mask_shifted: Swin: True to keep opposite borders of the map, which a shift brings into one
            window, from attending to each other, as in every published one.
        dtype: dtype of the computation; parameters are float32.
        remat: True to recompute each block's activations in the backward pass, not keep them.
    """

    image_size: tuple[int, int]
    in_channels: int
    num_classes: int
    dropout: float
    drop_path: float
    hidden: tuple[int, ...]
    head: str
    mask_shifted: bool
    dtype: jnp.dtype
    remat: bool

    def drop_rates(self, depths: Sequence[int]) -> list[list[float]]:
        """The stochastic-depth rate of every block, for stages of so many blocks."""
        rates = np.linspace(0, self.drop_path, sum(depths))
        return [part.tolist() for part in np.split(rates, np.cumsum(depths)[:-1])]


def require_least(family: str, image_size: tuple[int, int], least: int) -> None:
    """Refuse photographs of which nothing would be left.

    Raises:
        UserError: a side is shorter than ``least`` pixels.
    """
    if min(image_size) < least:
        raise UserError(
            f"{family} takes photographs of at least {least} × {least} pixels, not "
            f"{image_size[0]} × {image_size[1]}"
        )


def require_multiples(family: str, image_size: tuple[int, int], patch: int) -> None:
    """Refuse photographs that patches do not fill.

    Raises:
        UserError: a side is no multiple of ``patch`` pixels.
    """
    if any(side < 1 or side % patch for side in image_size):
        raise UserError(
            f"{family} takes photographs whose height and width are multiples of {patch}, not "
            f"{image_size[0]} × {image_size[1]}"
        )


def refuse_drop_path(family: str, rate: float) -> None:
    """Refuse stochastic depth where there is no residual branch to drop.

    Raises:
        UserError: the rate is above 0.
    """
    if rate:
        raise UserError(
            f"{family} has no residual branches that model.drop_path={rate} could drop; set it to 0"
        )
