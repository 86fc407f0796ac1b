"""Swin Transformers for grading hair loss from photographs and hair masks."""

from importlib import import_module
from typing import Any

_HOMES = {
    "create_model": "hairjax.models.factory",
    "list_models": "hairjax.models.factory",
    "load_run": "hairjax.runs.load",
}
__version__ = "0.1.0"
__all__ = ["create_model", "list_models", "load_run"]


def __getattr__(name: str) -> Any:
    # On first use: importing JAX takes seconds, and a mistyped command needs none of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
