"""Problems of unusable images, and their report."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hairjax.data.sources.record import File
from hairjax.system.errors import UserError
from hairjax.system.wording import counted

NO_LABEL = "no label"
NO_MASK = "no mask"
PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """Unusable file: `kind` groups the report, `detail` may be empty."""

    path: str
    kind: str
    detail: str


class PhotoError(UserError):
    """Error of an unusable image, with its `problem`."""

    def __init__(self, problem: Problem):
        super().__init__(": ".join(filter(None, (problem.path, problem.kind, problem.detail))))
        self.problem = problem


def describe_problems(problems: Iterable[Problem], most: int = PROBLEMS_SHOWN) -> str:
    """Text of the problems, grouped by kind, the first `most` with paths."""
    problems = list(problems)
    lines, room = [], most
    for kind, count in Counter(problem.kind for problem in problems).most_common():
        lines.append(f"  {kind} ({count:,}):")
        for problem in [problem for problem in problems if problem.kind == kind][:room]:
            detail = f": {problem.detail}" if problem.detail else ""
            lines.append(f"    {problem.path}{detail}")
            room -= 1
    if len(problems) > most:
        lines.append(f"  and {len(problems) - most:,} more")
    return "\n".join(lines)


def require_no_problems(problems: Sequence[Problem], on_bad: str) -> None:
    """Raise on unusable files, in one report.

    Raises:
        UserError: there are problems and `on_bad` is "refuse".
    """
    if problems and on_bad == "refuse":
        raise UserError(
            f"{counted(len(problems), 'file')} cannot be used:\n{describe_problems(problems)}\n"
            "correct or remove them; training leaves them out with --config.data.on_bad=skip"
        )


def shown(path: File) -> str:
    """Printable text of a path with any bytes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")
