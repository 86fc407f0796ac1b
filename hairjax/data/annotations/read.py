"""Read annotation files: COCO, LabelMe and Label Studio, detected by content."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hairjax.data.annotations.coco import is_coco, read_coco
from hairjax.data.annotations.image import AnnotatedImage
from hairjax.data.annotations.label_studio import is_label_studio, read_label_studio
from hairjax.data.annotations.labelme import is_labelme, read_labelme
from hairjax.system.errors import UserError, examples

_EXAMPLES = 5
_READ = "COCO, LabelMe's or Label Studio's JSON"


class Annotations(NamedTuple):
    """Annotated images, and the program that wrote them."""

    program: str
    images: list[AnnotatedImage]
    passed_over: list[Path]


def read_annotations(files: Sequence[Path], root: Path) -> Annotations:
    """Read JSON annotation files of one program; LabelMe's images are named relative to `root`.

    Raises:
        UserError: a file is unreadable, none has annotations, or programs are mixed.
    """
    images: dict[str, list[AnnotatedImage]] = {}
    other: dict[Path, str] = {}
    for file in files:
        content = _content(file)
        try:
            if is_coco(content):
                images.setdefault("COCO", []).extend(read_coco(content, file))
            elif is_labelme(content):
                name = file.relative_to(root).with_suffix("").as_posix()
                images.setdefault("LabelMe", []).append(read_labelme(content, file, name))
            elif is_label_studio(content):
                found = read_label_studio(content, file)
                images.setdefault("Label Studio", []).extend(found)
            else:
                other[file] = _described(content)
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
            raise UserError(
                f"the annotations {str(file)!r} are not as their program writes them "
                f"({type(error).__name__}: {error}): export them again"
            ) from error
    if not images:
        [(file, holds)] = [*other.items()][:1]
        raise UserError(
            f"{str(file)!r} holds {holds}; masks can be read from pictures, or from {_READ}"
        )
    if len(images) > 1:
        raise UserError(
            f"the masks are of several programs, {' and '.join(images)}: give the folder or file "
            "of one with config.data.masks"
        )
    [(program, found)] = images.items()
    return Annotations(program, found, [*other])


def _content(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:  # including UnicodeDecodeError
        raise UserError(f"{str(file)!r} is no JSON ({error}): export it again") from error


def _described(content: Any) -> str:
    if isinstance(content, dict):
        return f"the keys {examples(sorted(content), _EXAMPLES)}" if content else "nothing"
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return f"a list of entries with the keys {examples(sorted(content[0]), _EXAMPLES)}"
    return f"a {type(content).__name__}"
