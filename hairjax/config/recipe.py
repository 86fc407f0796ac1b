"""Keys, defaults and limits of the recipe, ``configs/top.py``."""

import functools
from collections.abc import Mapping
from types import MappingProxyType

from ml_collections import ConfigDict

from hairjax.config.schema import Key, defaults, flatten_keys
from hairjax.configs.top import KEYS


@functools.cache
def known_keys() -> Mapping[str, Key]:
    """Every key by "section.key", in order."""
    return MappingProxyType(dict(flatten_keys(KEYS)))


def default_config() -> ConfigDict:
    """Configuration with every key at its default."""
    return defaults(KEYS)
