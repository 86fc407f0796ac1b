"""Fonts of the figures: matplotlib's own, then an installed one with Hangul."""

from collections.abc import Iterable, Sequence

from matplotlib import font_manager

# Common fonts with Hangul, by matplotlib's names; the first installed one is used. Those for
# Chinese and Japanese, last, have Hangul too.
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
    """Font families of text; each glyph comes from the first that has it."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["sans-serif", *[name for name in KOREAN if name in installed][:1]]


def without_glyphs(names: Iterable[str]) -> Sequence[str]:
    """Names with characters that no font of `families` has; figures show them as boxes."""
    known: set[int] = set()
    for family in families():
        found = font_manager.findfont(font_manager.FontProperties(family=[family]))
        known |= font_manager.get_font(found).get_charmap().keys()
    return [name for name in names if not {*map(ord, name)} <= known]
