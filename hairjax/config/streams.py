"""Models of a configuration (one or two streams) with channels and weights."""

from typing import NamedTuple

from ml_collections import ConfigDict


class Stream(NamedTuple):
    """One of at most two parallel models."""

    name: str  # in the model table
    source: str  # of the pretrained weights, or none
    channels: int  # of its input


def configured_streams(config: ConfigDict) -> tuple[Stream, ...]:
    """Streams of a configuration: the model and, if there is one, the second."""
    model, weights = config.model, config.weights
    channels = (3, 1) if model.second_sees == "mask" else (model.in_channels,) * 2
    found = [Stream(model.name, weights.source.replace("{model}", model.name), channels[0])]
    if model.second:
        source = (weights.second or weights.source).replace("{model}", model.second)
        found.append(Stream(model.second, source, channels[1]))
    return tuple(found)
