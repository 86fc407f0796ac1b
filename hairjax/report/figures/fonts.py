"""Fonts of the figures: matplotlib's own, and behind it an installed one that knows Korean."""

from collections.abc import Iterable, Sequence

from matplotlib import font_manager

# Common fonts with Hangul, by the names that matplotlib gives them; the first that is installed
# is taken. Those for Chinese and Japanese come last, and know Hangul too.
KOREAN = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Source Han Sans KR",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "Malgun Gothic",
    "NanumGothic",
    "NanumBarunGothic",
    "UnDotum",
    "Baekmuk Gulim",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Arial Unicode MS",
)


def families() -> list[str]:
    """Font families for text, each glyph in the first family that has it."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["sans-serif", *[name for name in KOREAN if name in installed][:1]]


def undrawable(names: Iterable[str]) -> Sequence[str]:
    """Names that a figure shows as boxes: no font of `families` has all of their characters."""
    known: set[int] = set()
    for family in families():
        found = font_manager.findfont(font_manager.FontProperties(family=[family]))
        known |= font_manager.get_font(found).get_charmap().keys()
    return [name for name in names if not {*map(ord, name)} <= known]
