"""Options of every model, and checks of families with fewer options."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from hairjax.system.errors import UserError


@dataclass(frozen=True)
class ModelOptions:
    """Options of a model of any family."""

    image_size: tuple[int, int]  # height and width
    in_channels: int  # input channels
    num_classes: int  # width of the logits
    dropout: float  # dropout rate in the head
    drop_path: float  # stochastic-depth rate of the last block, rising linearly from 0
    hidden: tuple[int, ...]  # sizes of hidden layers in the head
    head: str  # last layer, one of ``ordinal.HEADS``
    mask_shifted: bool  # mask attention in shifted windows (Swin)
    dtype: jnp.dtype  # dtype of the computation; parameters are float32
    remat: bool  # recompute activations in the backward pass

    def drop_rates(self, depths: Sequence[int]) -> list[list[float]]:
        """Stochastic-depth rate of every block, by stage."""
        rates = np.linspace(0, self.drop_path, sum(depths))
        return [part.tolist() for part in np.split(rates, np.cumsum(depths)[:-1])]


def require_minimum_size(family: str, image_size: tuple[int, int], least: int) -> None:
    """Raise if a side is shorter than ``least`` pixels.

    Raises:
        UserError: names the minimum and the size.
    """
    if min(image_size) < least:
        raise UserError(
            f"{family} takes photographs of at least {least} × {least} pixels, not "
            f"{image_size[0]} × {image_size[1]}"
        )


def require_multiples(family: str, image_size: tuple[int, int], patch: int) -> None:
    """Raise if a side is no multiple of ``patch`` pixels.

    Raises:
        UserError: names the patch and the size.
    """
    if any(side < 1 or side % patch for side in image_size):
        raise UserError(
            f"{family} takes photographs with height and width multiples of {patch}, not "
            f"{image_size[0]} × {image_size[1]}"
        )


def refuse_drop_path(family: str, rate: float) -> None:
    """Raise if stochastic depth is on for a family without residual branches.

    Raises:
        UserError: the rate is above 0.
    """
    if rate:
        raise UserError(
            f"{family} has no residual branches for model.drop_path={rate} to drop; set it to 0"
        )
