"""The verb ``convert``."""

from pathlib import Path

from hairjax.errors import UserError
from hairjax.verbs.configuration import require_keys
from hairjax.verbs.flags import parse
from hairjax.verbs.places import require_writable


def run_convert(arguments: list[str]) -> int:
    """``launch.py convert``."""
    given, _ = parse(arguments, ("weights", "model", "out", "licence"), {})
    if lacking := [f"--{name}" for name in ("weights", "model", "out") if not given[name]]:
        raise UserError(
            f"convert needs {' and '.join(lacking)}, e.g. --weights=best.pth "
            "--model=swin_tiny_patch4_window7_224 --out=best.safetensors"
        )
    out = Path(given["out"]).expanduser()
    require_writable("--out", out.parent)
    require_keys(Path(given["weights"]).expanduser())

    from hairjax.display import Display
    from hairjax.weights.convert import convert

    metadata = convert(given["weights"], given["model"], out, given["licence"])
    display = Display()
    for key, value in ({"licence": "not known; --licence=TEXT adds it"} | metadata).items():
        display.say(f"{key}: {value}")
    display.say(f"written: {out}")
    return 0
