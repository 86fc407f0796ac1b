"""Optional packages."""

from typing import Any

from hairjax.system.errors import UserError


def require_tensorboardx() -> None:
    """Raise if tensorboardX is missing.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"config.log.tensorboard=True needs tensorboardX ({error}): pip install -r "
            "requirements-tensorboard.txt, or leave it False"
        ) from error


def import_pycocotools() -> Any:
    """Import ``pycocotools.mask``.

    Raises:
        UserError: it is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise UserError(
            "masks in COCO's JSON need the package pycocotools: pip install -r "
            "requirements-coco.txt"
        ) from error
    return mask
