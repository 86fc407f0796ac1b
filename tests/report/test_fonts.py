from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from hairjax.report.figures import classification as figures
from hairjax.report.figures import fonts, style


def hangul_font(path):
    """A font by the name of a Korean one that knows three syllables, each a square."""
    builder = FontBuilder(1000, isTTF=True)
    characters = {ord(c): f"glyph{i}" for i, c in enumerate("정상탈 ")}
    names = [".notdef", *characters.values()]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(characters)
    pen = TTGlyphPen(None)
    for move, place in (("moveTo", (100, 0)), ("lineTo", (100, 800)), ("lineTo", (900, 800))):
        getattr(pen, move)(place)
    pen.closePath()
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "NanumGothic", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def without_korean(monkeypatch):
    """As on a machine with no font for Korean."""
    listed = [font for font in font_manager.fontManager.ttflist if font.name not in fonts.KOREAN]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    font_manager.fontManager._findfont_cached.cache_clear()
    yield
    font_manager.fontManager._findfont_cached.cache_clear()


def test_a_name_that_no_font_knows_is_told(without_korean):
    assert fonts.families() == ["sans-serif"]
    assert fonts.without_glyphs(["level_0", "정상", "Größe", "탈모 a"]) == ["정상", "탈모 a"]


def test_an_installed_font_for_korean_is_taken(without_korean, tmp_path, monkeypatch):
    hangul_font(tmp_path / "font.ttf")
    font_manager.fontManager.addfont(tmp_path / "font.ttf")
    assert fonts.families() == ["sans-serif", "NanumGothic"]
    assert fonts.without_glyphs(["level_0", "정상", "정상 a", "탈모"]) == ["탈모"]
    monkeypatch.setitem(style.STYLE, "font.family", fonts.families())
    # Any warning of a missing glyph, which figures otherwise keep to themselves, would be an error.
    heard = SimpleNamespace(catch_warnings=nullcontext, filterwarnings=lambda *_: None)
    monkeypatch.setattr(style, "warnings", heard)
    figures.confusion_figure(np.eye(2, dtype=int), ["정상", "탈"], tmp_path / "figure.png")
    assert "정상" in (tmp_path / "figure.svg").read_text("utf-8")
