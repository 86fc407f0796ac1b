"""Keys, defaults and limits of the recipe, ``configs/top.py``."""

import functools
import runpy
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ml_collections import ConfigDict

from hairjax.config.schema import Key, Keys, defaults, flatten_keys

# Beside the package, in a checkout as where it is installed.
RECIPE = Path(__file__).parents[2] / "configs" / "top.py"


@functools.cache
def _read() -> Keys:
    return runpy.run_path(str(RECIPE))["KEYS"]


@functools.cache
def known_keys() -> Mapping[str, Key]:
    """Every key by "section.key", in order."""
    return MappingProxyType(dict(flatten_keys(_read())))


def default_config() -> ConfigDict:
    """Configuration with every key at its default."""
    return defaults(_read())
