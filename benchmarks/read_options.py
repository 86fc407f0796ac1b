"""Preparation options of the benchmarks."""

from hairjax.data.options import PrepareOptions


def read_options(side: int, workers: int) -> PrepareOptions:
    """Resize to a square of ``side`` pixels, without cache."""
    return PrepareOptions(
        side=side,
        fit="squash",
        on_bad="refuse",
        cache="",
        beam="",
        memory=0.0,
        workers=workers,
    )
