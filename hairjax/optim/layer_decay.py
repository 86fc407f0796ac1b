"""Distance of every parameter to the head in layers, for layer-wise learning-rate decay."""

from flax import traverse_util

from hairjax.models.two_stream import STREAMS
from hairjax.optim.parts import map_by_path


def layer_distances(params: dict) -> dict:
    """Number of layers between every parameter and the head, in a tree like ``params``.

    A layer is the stem, a block or the head; other layers of a stage count as its first block. As
    in timm, except for the last norm: head here (as in Microsoft's code), last block there. Two
    streams count their layers separately.
    """

    def layer(path: tuple) -> tuple[int, int]:
        if path[0] != "stages":
            return (-1, 0) if path[0] == "stem" else (len(params["stages"]), 0)
        within = path[3:] if path[2] in STREAMS else path[2:]
        return path[1], within[1] if within[0] == "blocks" else 0

    def stream(path: tuple) -> str:
        return "second" if "second" in path[:3] else "first"

    paths = list(traverse_util.flatten_dict(params))
    found = {name: {layer(path) for path in paths if stream(path) == name} for name in STREAMS}
    # After fusion the second stream shares the layers of the first.
    end = max(found["second"], default=(-1, 0))
    found["second"] |= {one for one in found["first"] if one > end}
    layers = {name: sorted(own, reverse=True) for name, own in found.items()}
    return map_by_path(lambda path, _: layers[stream(path)].index(layer(path)), params)
