"""The verb ``convert``."""

from argparse import Namespace
from pathlib import Path

from hairjax.cli.configuration import require_keys
from hairjax.cli.places import require_writable


def run_convert(given: Namespace) -> int:
    """Run ``convert``; return its exit status."""
    out = Path(given.out).expanduser()
    require_writable("--out", out.parent)
    require_keys(Path(given.weights).expanduser())

    from hairjax.commands.convert import convert_weights
    from hairjax.system import console

    metadata = convert_weights(given.weights, given.model, out, given.licence, given.which)
    if "ancestry" in metadata:
        metadata["ancestry"] = "checksums of the photographs that these weights have learnt from"
    for key, value in ({"licence": "not known; --licence=TEXT adds it"} | metadata).items():
        console.say(f"{key}: {value}")
    console.say(f"written: {out}")
    return 0
