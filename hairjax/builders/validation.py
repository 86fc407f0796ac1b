"""Validate a whole configuration before reading or computing anything."""

import re

from ml_collections import ConfigDict

from hairjax.config.recipe import known_keys
from hairjax.config.schema import check_keys, check_limits, flatten
from hairjax.system.errors import UserError


def check_config(config: ConfigDict) -> None:
    """Raise if a configuration cannot work.

    Raises:
        UserError: names the key, the bad value, and the allowed ones.
    """
    check_keys(config, known_keys())
    if "made" in config:
        raise UserError(
            f"this is the configuration of a result that {config.made.by} derived from finished "
            f"runs ({', '.join(config.made.runs)}), not of a run: give one of theirs"
        )
    check_limits(config, known_keys())
    values = dict(flatten(config))
    for key, allowed in choices().items():
        by_name = key == "data.source" and re.fullmatch("tfds:.+", values[key])
        if values[key] not in allowed and not by_name:
            raise UserError(
                f"config.{key} is {values[key]!r}; it can be {', '.join(map(str, allowed))}"
            )
    # Imported late as in `choices`.
    from hairjax.builders.consistency import check_consistency

    check_consistency(config)


def choices() -> dict[str, tuple]:
    """Allowed values by dotted key, for every key with a fixed choice.

    Without the ``tfds:NAME`` that ``data.source`` allows too.
    """
    # Imported late, so that a mistyped command is answered before JAX is imported (a second).
    from hairjax.models.table import VARIANTS
    from hairjax.weights.stem import RULES

    own = {name: key.choices for name, key in known_keys().items() if key.choices}
    return {"model.name": tuple(VARIANTS), "weights.stem": RULES, **own}
