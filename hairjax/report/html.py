"""HTML by parts: elements, tables, figures, and how numbers are written."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from hairjax.system.files import replacing


class Html(str):
    """Text that is HTML already; every other text is escaped on its way into an element."""


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """An element; ``class_`` gives it the attribute class, ``aria_hidden`` aria-hidden."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(child if isinstance(child, Html) else escape(child) for child in children)
    return Html(f"<{name}{written}>{inner}</{name}>")


def lines(parts: Sequence[str]) -> Iterator[str]:
    """Put every part on a line of its own."""
    for part in parts:
        yield part
        yield "\n"


def head(title: str) -> Html:
    """The head of a page that asks the network for nothing, with the style inside."""
    style = resources.files("hairjax.report").joinpath("style.css").read_text("utf-8")
    # The policy makes a browser refuse any request, whatever a name on the page may contain.
    return Html(f"""<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)} · hairjax</title>
<style>
{style}</style>
</head>""")


def write_page(title: str, body: Html, path: Path) -> None:
    """Write a page as one HTML file; it appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    page = "<!doctype html>\n" + tag("html", head(title), "\n", body, lang="en")
    with replacing(path) as unfinished:
        # The name of a file or folder need not be valid Unicode; the page must be.
        unfinished.write_bytes(page.encode("utf-8", errors="replace"))


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], **attributes: str) -> Html:
    """Lay out rows whose first cell names them; no header row where ``header`` is empty."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in header)))
    body = (
        tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in others))
        for first, *others in rows
    )
    parts = (top if header else "", tag("tbody", *lines(list(body))))
    return tag("div", tag("table", *parts, **attributes), class_="scroll")


def figure(path: Path, description: str, caption: str) -> Html:
    """A PNG file, held in the page, with what it shows in words and a caption."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = Html(f'<img src="data:image/png;base64,{data}" alt="{escape(description)}">')
    return tag("figure", image, tag("figcaption", caption))


def html_photograph(jpeg: bytes, description: str) -> Html:
    """A small JPEG, held in the page, with what it shows in words."""
    data = base64.b64encode(jpeg).decode("ascii")
    return Html(f'<img src="data:image/jpeg;base64,{data}" alt="{escape(description)}">')


def strip(
    value: float, interval: tuple[float, float] | None, others: Sequence[float | None]
) -> Html:
    """Plot a value, its interval and the baselines on a line from 0 to 1; less than 0 is at 0."""

    def share(place: float) -> str:
        return f"{100 * min(max(place, 0.0), 1.0):.2f}%"

    low, high = (min(max(end, 0.0), 1.0) for end in interval or (value, value))
    baselines = (
        tag("rect", class_="baseline", x=share(other), y="3", width="2", height="10")
        for other in others
        if other is not None
    )
    return tag(
        "svg",
        tag("rect", class_="track", x="0", y="7", width="100%", height="2"),
        tag("rect", class_="band", x=share(low), y="4", width=share(high - low), height="8"),
        *baselines,
        tag("circle", class_="value", cx=share(value), cy="8", r="4.5"),
        aria_hidden="true",
    )


UNDEFINED = "–"
"""What stands for a number that is undefined."""


def number(value: float | None) -> str:
    """Three decimals, and a true minus sign; a dash where it is undefined."""
    if value is None:
        return UNDEFINED
    # Adding 0 to a rounded −0.0001 drops the sign of zero.
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def number_range(interval: tuple[float, float] | None) -> str:
    """Both ends of an interval, where there is one."""
    if interval is None:
        return "no interval"
    return f"{number(interval[0])} – {number(interval[1])}"


def estimate(found: tuple[float, tuple[float, float] | None] | None) -> Html:
    """A number above its 95 % interval, where it has one; a dash where it is undefined."""
    if found is None:
        return tag("span", UNDEFINED)
    value, interval = found
    return tag("span", number(value), tag("small", number_range(interval)))


def measured_duration(seconds: float) -> str:
    """E.g. ``3.4 s``, ``3 min 5 s``, ``8 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
