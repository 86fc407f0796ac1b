"""The one or two models of a configuration, with the channels and weights of each."""

from typing import NamedTuple

from ml_collections import ConfigDict


class Stream(NamedTuple):
    """One of the models that run side by side."""

    name: str  # in the table of models
    source: str  # of its pretrained weights, or none
    channels: int  # that it sees


def configured_streams(config: ConfigDict) -> tuple[Stream, ...]:
    """The model of a configuration, or where there is a second one both."""
    model, weights = config.model, config.weights
    channels = (3, 1) if model.second_sees == "mask" else (model.in_channels,) * 2
    found = [Stream(model.name, weights.source.replace("{model}", model.name), channels[0])]
    if model.second:
        source = (weights.second or weights.source).replace("{model}", model.second)
        found.append(Stream(model.second, source, channels[1]))
    return tuple(found)
