"""Where the photographs of a run lie now, where it is not where they lay when it began.

A run's ``config.json`` stays what it was. What has moved stands beside it in ``places.json``, by
key, and replaces what the configuration says wherever it is read.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.system.errors import UserError

FILE = "places.json"
# The keys that say where photographs lie, what belongs to them and what is known of them.
PLACES = (
    "data.photos",
    "data.masks",
    "data.second_photos",
    "data.second_masks",
    "data.manifest",
    "data.split",
)
_NO_PLACES = ("folders",)  # as `data.split`: the photographs' own


def read_places(path: Path) -> dict[str, str]:
    """The new place by key; none where there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}): remove it, and tell --moved anew"
        ) from error
    if not isinstance(plain, dict) or not plain.keys() <= {*PLACES}:
        raise UserError(f"{path} does not say where photographs are: remove it, tell --moved anew")
    return {key: str(place) for key, place in plain.items()}


def places_of(values: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """The places that a configuration names, by key; its values as `flatten` gives them."""
    given = dict(values)
    return {key: given[key] for key in PLACES if given.get(key) and given[key] not in _NO_PLACES}


def at_places(config: ConfigDict, places: Mapping[str, str]) -> ConfigDict:
    """A configuration whose photographs lie at these places."""
    moved = ConfigDict(config)
    for key, place in places.items():
        section, _, name = key.rpartition(".")
        moved[section][name] = place
    return moved


def require_places(run: Path, paths: Iterable[str]) -> None:
    """Refuse to read the photographs of a run where its folders are not there.

    Args:
        run: its directory.
        paths: places of its photographs, masks and manifest; "" for none.

    Raises:
        UserError: names what is missing, and the flag that tells where it is now.
    """
    missing = [path for path in paths if path and not Path(path).expanduser().exists()]
    if missing:
        moves = ",".join(f"{one}=NEW" for one in dict.fromkeys(map(_topmost_missing, missing)))
        raise UserError(
            f"the photographs of {run} are not where they were: there is no "
            f"{' and no '.join(map(repr, missing))}; where they have moved, tell it once with "
            f"{shlex.quote(f'--moved={moves}')}, NEW being where that is now"
        )


def _topmost_missing(path: str) -> str:
    """The first of the folders that lead to a path, or itself, that is not there."""
    place = Path(path)
    return str([one for one in (place, *place.parents) if not one.expanduser().exists()][-1])
