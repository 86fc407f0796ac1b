"""Self-contained HTML pages from the Jinja2 templates in ``templates/``."""

import base64
import functools
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hairjax.report.numbers import duration, in_brackets, number, number_range, signed
from hairjax.system.files import replacing
from hairjax.system.wording import counted


@functools.cache
def _environment() -> Environment:
    """Jinja2 environment: every value is escaped, an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("hairjax.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "base64": _base64,
        "counted": counted,
        "duration": duration,
        "in_brackets": in_brackets,
        "number": number,
        "percent": "{:.0%}".format,
        "range": number_range,
        "signed": signed,
        "thousands": "{:,}".format,
        "utc": utc,
    }
    style = resources.files("hairjax.report").joinpath("style.css").read_text("utf-8")
    environment.globals["style"] = Markup(style)
    return environment


def _base64(content: bytes | Path) -> str:
    """Base64 of bytes or of a file."""
    found = content.read_bytes() if isinstance(content, Path) else content
    return base64.b64encode(found).decode("ascii")


def utc(time: str) -> str:
    """Format an ISO 8601 time in UTC as date and time."""
    return time.removesuffix("+00:00").replace("T", " ")


def render(template: str, **values: object) -> Markup:
    """Render a template."""
    return Markup(_environment().get_template(template).render(values))


def write_page(template: str, path: Path, **values: object) -> None:
    """Render a page and write it atomically.

    Raises:
        OSError: a figure cannot be read, or the page cannot be written.
    """
    page = render(template, **values)
    with replacing(path) as unfinished:
        # The name of a file or folder need not be valid Unicode; the page must be.
        unfinished.write_bytes(page.encode("utf-8", errors="replace"))
