"""Identical files with conflicting labels."""

from collections import defaultdict

from hairjax.data.options import SourceOptions
from hairjax.data.photoset import PhotoSet
from hairjax.system import console
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

_EXAMPLES = 5


def require_one_label(photos: PhotoSet, source: SourceOptions) -> None:
    """Raise on identical files in different classes, except synthetic images.

    With ``on_conflict`` "allow", conflicts are reported only.

    Raises:
        UserError: a file is in two classes; names examples.
    """
    if source.synthetic:
        return
    copies: dict[str, list[int]] = defaultdict(list)
    for place, contents in enumerate(photos.sha256):
        copies[contents].append(place)
    conflicts = [own for own in copies.values() if len({int(photos.labels[i]) for i in own}) > 1]
    if not conflicts:
        return
    named = [
        " = ".join(f"{photos.files[i]} ({photos.classes[photos.labels[i]]})" for i in own)
        for own in conflicts
    ]
    message = (
        f"{counted(sum(map(len, conflicts)), 'photograph')} are identical files in different "
        f"classes: {examples(named, _EXAMPLES)}"
    )
    if source.on_conflict == "refuse":
        raise UserError(
            f"{message}; correct the labels, remove the files, or train on them with "
            "--config.data.on_conflict=allow"
        )
    console.say(f"{message}; training continues: config.data.on_conflict=allow")
