"""The verb ``convert``."""

from pathlib import Path

from hairjax.cli.configuration import require_keys
from hairjax.cli.flags import parse
from hairjax.cli.places import require_writable
from hairjax.system.errors import UserError


def run_convert(arguments: list[str]) -> int:
    """``launch.py convert``."""
    given, _ = parse(arguments, ("weights", "model", "out", "licence", "which"), {})
    if lacking := [f"--{name}" for name in ("weights", "model", "out") if not given[name]]:
        raise UserError(
            f"convert needs {' and '.join(lacking)}, e.g. --weights=best.pth "
            "--model=swin_tiny_patch4_window7_224 --out=best.safetensors"
        )
    out = Path(given["out"]).expanduser()
    require_writable("--out", out.parent)
    require_keys(Path(given["weights"]).expanduser())

    from hairjax.commands.convert import convert_weights
    from hairjax.system import console

    metadata = convert_weights(
        given["weights"], given["model"], out, given["licence"], given["which"] or "auto"
    )
    if "ancestry" in metadata:
        metadata["ancestry"] = "checksums of the photographs that these weights have learnt from"
    for key, value in ({"licence": "not known; --licence=TEXT adds it"} | metadata).items():
        console.say(f"{key}: {value}")
    console.say(f"written: {out}")
    return 0
