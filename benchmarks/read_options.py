"""Options to read photographs with, as the benchmarks do."""

from hairjax.data.options import PrepareOptions


def read_options(side: int, workers: int) -> PrepareOptions:
    """Squashed to a square of ``side``, without a prepared set."""
    return PrepareOptions(
        side=side,
        fit="squash",
        on_bad="refuse",
        cache="",
        beam="",
        memory=0.0,
        workers=workers,
    )
