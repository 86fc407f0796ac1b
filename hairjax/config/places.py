"""Current locations of a run's photographs, if they have moved (``places.json``).

``config.json`` stays unchanged; ``places.json`` overrides its locations by key.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.system.errors import UserError

FILE = "places.json"
# Keys with locations of photographs, masks, manifest and split.
PLACES = (
    "data.photos",
    "data.masks",
    "data.second_photos",
    "data.second_masks",
    "data.manifest",
    "data.split",
)
_NO_PLACES = ("folders",)  # value of `data.split` that is no path


def read_places(path: Path) -> dict[str, str]:
    """New locations by key; {} without the file.

    Raises:
        UserError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}): remove it and give --moved again"
        ) from error
    if not isinstance(plain, dict) or not plain.keys() <= {*PLACES}:
        raise UserError(f"{path} holds other keys than locations: remove it and give --moved again")
    return {key: str(place) for key, place in plain.items()}


def places_of(values: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Locations in a flattened configuration, by key."""
    given = dict(values)
    return {key: given[key] for key in PLACES if given.get(key) and given[key] not in _NO_PLACES}


def at_places(config: ConfigDict, places: Mapping[str, str]) -> ConfigDict:
    """Configuration with these locations."""
    moved = ConfigDict(config)
    for key, place in places.items():
        section, _, name = key.rpartition(".")
        moved[section][name] = place
    return moved


def require_places(run: Path, paths: Iterable[str]) -> None:
    """Raise if a location of a run's photographs ("" for none) does not exist.

    Raises:
        UserError: names the missing paths and the flag --moved.
    """
    missing = [path for path in paths if path and not Path(path).expanduser().exists()]
    if missing:
        moves = ",".join(f"{one}=NEW" for one in dict.fromkeys(map(_topmost_missing, missing)))
        raise UserError(
            f"the photographs of {run} are not where they were: there is no "
            f"{' and no '.join(map(repr, missing))}; if they have moved, give once "
            f"{shlex.quote(f'--moved={moves}')} with the new location as NEW"
        )


def _topmost_missing(path: str) -> str:
    """Topmost missing component of a path."""
    place = Path(path)
    return str([one for one in (place, *place.parents) if not one.expanduser().exists()][-1])
