"""Optional packages."""

from typing import Any

from hairjax.system.errors import UserError
from hairjax.system.program import install_command


def require_tensorboardx() -> None:
    """Raise if tensorboardX is missing.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"config.log.tensorboard=True needs tensorboardX ({error}): "
            f"{install_command('tensorboard')}, or leave it False"
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
            f"masks in COCO's JSON need the package pycocotools: {install_command('coco')}"
        ) from error
    return mask
