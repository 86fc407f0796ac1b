"""Parameter trees as flat dicts with dotted paths."""

from flax import traverse_util


def dotted(tree: dict) -> dict:
    """{"stages": {0: {"a": x}}} → {"stages.0.a": x}."""
    return {
        ".".join(map(str, path)): leaf for path, leaf in traverse_util.flatten_dict(tree).items()
    }


def nested(flat: dict) -> dict:
    """Inverse of ``dotted``; whole numbers in a path become list positions."""
    paths = {
        tuple(int(part) if part.isdigit() else part for part in path.split(".")): leaf
        for path, leaf in flat.items()
    }
    return traverse_util.unflatten_dict(paths)
