import base64
import dataclasses
import io
import itertools
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

import hairjax.report
from hairjax.evaluation.metrics import classification as metrics
from hairjax.optim.parameter_table import ParameterRow
from hairjax.report.html import render
from hairjax.report.page import SECTIONS, write_report
from hairjax.runs.access import AccessRecord
from hairjax.runs.environment import Weights
from tests.report.browser import CHROMIUM, Browser
from tests.report.example import (
    CLASSES,
    CONFUSION,
    SCORES,
    pictures,
    predictions,
    split_results,
    with_results,
)

TEMPLATES = Path(hairjax.report.__file__).parent / "templates"
LOOK = AccessRecord(
    "2026-03-01T10:00:00+00:00", "ab" * 20, "0123456789ab", "test", 319, 0.81, "evaluate"
)
FIGURES, PICTURES = 8, 2 * 3  # of the fullest page; in its gallery, and in that of its examples
CAMERAS = ("old", "<b>&\"'")


@pytest.fixture(scope="module")
def opened(report, folder):
    """The same once test was looked at and validation explained."""
    columns = {"camera": {name: CAMERAS[len(name) % 2] for name in predictions(CONFUSION).files}}
    both = [
        split_results(split, folder, validation, columns)
        for split, validation in (("validation", None), ("test", predictions(CONFUSION)))
    ]
    pictures(folder / "opened")
    return dataclasses.replace(report, folder=folder / "opened", results=both, accesses=[LOOK])


class Page(HTMLParser):
    """Reads a page, checks that it is sound HTML, and keeps attributes, text and rows.

    Every element is closed where it must be, attributes and identifiers are there once, every link
    leads somewhere, rows of a table have equally many cells, text is in elements that may hold it.
    """

    VOID = ("meta", "link", "img")
    INLINE = ("span", "strong", "small", "code", "a", "p", "summary", "h1", "h2", "h3")
    BLOCKS = ("div", "table", "p", "figure", "section", "details", "ul", "dl", "nav", "h2", "h3")

    def __init__(self, markup):
        super().__init__()
        self.open, self.attributes, self.text, self.rows = [], [], [], []
        self.tables = []
        self.feed(markup)
        self.close()
        assert not self.open
        self.text = " ".join("".join(self.text).split())
        for row in itertools.chain(*self.tables):
            row[:] = [" ".join(cell.split()) for cell in row]
        ids = [value for _, name, value in self.attributes if name == "id"]
        assert len(set(ids)) == len(ids)
        links = [value for tag, name, value in self.attributes if (tag, name) == ("a", "href")]
        assert {link.removeprefix("#") for link in links} <= {*ids}
        for rows in self.tables:
            assert len({len(row) for row in rows}) == 1, rows

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag in self.BLOCKS:
            assert not {*self.INLINE} & {*self.open}, (tag, self.open)
        if tag == "table":
            self.tables.append([])
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.tables[-1].append(self.rows[-1])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, first, place=0):
        return [row for row in self.rows if row and row[0] == first][place]


def read(report, folder):
    write_report(report, folder / "report.html")
    return Page((folder / "report.html").read_text("utf-8"))


def test_says_what_was_trained_on_what(report, tmp_path):
    text = read(report, tmp_path).text
    assert (
        "swin_tiny_patch4_window7_224 with 27,525,000 parameters, initialised from "
        "hf://timm/swin_tiny_patch4_window7_224.ms_in22k, fine-tuned on 2,560 photographs of 853 "
        "subjects. Epoch 5 of 8 was the best by quadratic kappa; it is evaluated here on the "
        "validation split (320 photographs of 107 subjects)."
    ) in text
    assert "Test: 319 photographs of 106 subjects, never accessed." in text
    assert "The test split was never accessed." in text
    assert "Photographs: /data/top" in text
    assert "95 % interval (jackknife over 107 subjects, Student's t)" in text
    assert "Synthetic" not in text


def test_tables(report, tmp_path):
    page = read(report, tmp_path)
    assert page.row("Accuracy") == ["Accuracy", "", "0.8590.809 – 0.889", "0.250", "0.480"]
    assert page.row("Log-losslower is better")[2:] == ["0.4100.360 – 0.440", "0.250", "–"]
    scores = metrics.per_class(CONFUSION)
    name, *cells, n = page.row("mild")
    assert (name, n) == ("mild", "81")
    for cell, score in zip(cells, ("precision", "recall", "f1"), strict=True):
        assert re.fullmatch(rf"{scores[score][1]:.3f}0\.\d+ – 0\.\d+", cell)
    assert page.row("early") == ["early", "4.2e-06", "2.5e-06", "1.6e-06"]
    assert page.row("moderate", 1) == ["moderate", "00%", "810%", "6481%", "79%", "79"]
    assert page.row("Total") == ["Total", "2,560", "320", "319"]
    assert page.row("Subjects") == ["Subjects", "853", "107", "106"]
    assert page.row("Training time")[1] == "12 min 24 s for 8 epochs"
    assert page.row("Device-hours")[1] == f"{2 * 8 * 93 / 3600:.3f}"
    assert page.row("Peak memory")[1] == "3.0 GiB (process)"
    assert page.row("Weights")[1] == "hf://timm/swin_tiny_patch4_window7_224.ms_in22k"
    assert page.row("SHA-256")[1] == "f00d" * 16
    assert page.row("jax") == ["jax", "0.10.2"]
    assert page.row("optim.peak.late") == ["optim.peak.late", "0.001"]


def test_results_of_test_stand_beside_those_of_validation(opened, tmp_path):
    page = read(opened, tmp_path)
    text = page.text
    assert "the validation split (320 photographs of 107 subjects) and the test split (319 " in text
    assert "Validation: 320 photographs of 107 subjects" in text
    assert "Test: 319 photographs of 106 subjects" in text
    assert "never accessed" not in text
    assert "The test split was accessed once." in text
    assert sum(name == "class" and value == "tile" for _, name, value in page.attributes) == 8
    assert page.row("Accuracy", 0) == page.row("Accuracy", 1)
    look = ["2026-03-01 10:00:00", "evaluate", "test", "319", "0.810", "0123456789ab", "ababababab"]
    assert page.row("2026-03-01 10:00:00") == look


def test_what_is_said_where_looks_and_results_do_not_agree(report, opened, tmp_path):
    said = {
        "accessed 2 times": dataclasses.replace(opened, accesses=[LOOK, LOOK]),
        "but looks.csv has no line": dataclasses.replace(opened, accesses=[]),
        "the results are not in the run directory": dataclasses.replace(report, accesses=[LOOK]),
        "belong to another epoch": dataclasses.replace(report, accesses=[LOOK], outdated=["test"]),
        "The run has no test photographs": dataclasses.replace(
            report, counts=report.counts | {"test": (0, 0, 0, 0)}
        ),
    }
    for text, changed in said.items():
        assert text in read(changed, tmp_path).text


def test_the_table_of_groups(report, tmp_path):
    page = read(report, tmp_path)
    assert "298,084 of 307,300 parameters are trained." in page.text
    assert page.row("early", 1) == ["early", "stem", "9,216", "0", "0", "never"]
    rows = [row[1:] for row in page.rows if row and row[0] == "late" and len(row) == 6]
    assert rows == [["head", "3,076", "0.001", "0.01 (99.9%)", "epoch 1"]]
    stages = [row[1] for row in page.rows if row and row[0] == "middle" and len(row) == 6]
    assert stages == ["stages.2", "stages.10"]
    assert page.row("statistics") == ["statistics", "stages.2", "7", "–", "–", "with its part"]
    assert page.row("stem.proj.kernel")[1:] == ["4 × 4 × 6 × 96", "early", "0", "0", "never"]


def test_layer_decay_gives_a_part_a_range_of_rates(report, tmp_path):
    rates = (0.00017150000000000002, 0.000245, 0.00035)
    table = [
        ParameterRow(f"stages.1.blocks.{i}.norm.scale", (96,), "middle", rate, 0.0, 4)
        for i, rate in enumerate(rates)
    ]
    config = report.config | {"optim": report.config["optim"] | {"layer_decay": 0.7}}
    page = read(dataclasses.replace(report, parameter_table=table, config=config), tmp_path)
    of_part = page.row("middle")
    assert of_part == ["middle", "stages.1", "288", "0.000172 – 0.00035", "0", "epoch 4"]
    assert "Before layer-wise decay (0.7 per layer below the head)." in page.text


def test_devices_that_an_earlier_hairjax_did_not_count_are_not_known(report, tmp_path):
    known = read(report, tmp_path).row("Device-hours")
    timing = [{k: v for k, v in row.items() if k != "devices"} for row in report.timing]
    page = read(dataclasses.replace(report, timing=timing), tmp_path)
    assert page.row("Device-hours") == ["Device-hours", "unknown"] != known


def test_several_starts_and_unknown_facts(report, tmp_path):
    [first] = report.starts
    again = dataclasses.replace(
        first,
        time="2026-03-01T08:00:00+00:00",
        weights=None,
        commit="",
        versions={"python": "3.12.1", "jax": "0.10.2"},
    )
    page = read(dataclasses.replace(report, starts=[first, again]), tmp_path)
    assert page.row("Started (UTC)")[1] == "2026-02-28 09:30:00, again 2026-03-01 08:00:00"
    assert page.row("Code")[1] == f"{'cd' * 20} → not in a git repository"
    assert page.row("python")[1] == "3.11.9 → 3.12.1"
    assert page.row("SHA-256")[1] == "f00d" * 16
    drawn = read(dataclasses.replace(report, starts=[again]), tmp_path)
    assert drawn.row("Weights")[1] == "random initialisation, not pretrained"
    run = dataclasses.replace(first, weights=Weights("runs/top", "", "", 0))
    page = read(dataclasses.replace(report, starts=[run]), tmp_path)
    assert page.row("SHA-256")[1].startswith("none: the checkpoint of a run")


def test_names_that_no_font_can_draw_are_said_below_the_figure(report, tmp_path):
    page = read(dataclasses.replace(report, missing_glyphs=["정상"]), tmp_path)
    assert "No installed font has the glyphs of 정상" in page.text


def test_synthetic_photographs_are_stamped(report, tmp_path):
    page = read(dataclasses.replace(report, synthetic=True, source="TOP, seed 0"), tmp_path)
    assert ("p", "class", "stamp") in page.attributes
    assert "Synthetic photographs: TOP, seed 0. The results show that the code runs" in page.text


def test_what_is_not_known_is_said(report, tmp_path):
    subjects = dict.fromkeys(report.subjects, 0)
    unknown = dataclasses.replace(report, subjects=subjects, without_subject=9, best_by="loss")
    page = read(unknown, tmp_path)
    text = page.text
    assert "the best by loss" in text
    assert "validation split (320 photographs)." in text
    assert "Subjects are unknown" in text
    assert not any(row and row[0] == "Subjects" for row in page.rows)


def test_what_flatters_the_results_is_said_with_the_photographs(report, tmp_path):
    text = read(report, tmp_path).text
    assert "unknown. Photographs of one person" not in text
    assert "were allowed" not in text
    data = {**report.config["data"], "source": "photos", "on_leak": "allow"}
    config = {**report.config, "data": data}
    some = dataclasses.replace(report, without_subject=12, config=config, synthetic=False)
    text = read(some, tmp_path).text
    assert "The subject of 12 photographs is unknown. Photographs of one person" in text
    assert "two partitions. The subject of 12 photographs is unknown." in text
    assert "were allowed in validation and test (data.on_leak=allow), which makes" in text


@pytest.mark.parametrize(
    ("classes", "given", "source", "said"),
    [
        (CLASSES, "", "photos", "normal < mild < moderate < severe (by words of severity or"),
        (CLASSES, "a,b", "photos", "mild < moderate < severe (as data.classes gives it)."),
        (("b", "a", "d", "c"), "", "tfds:x", "b < a < d < c (as the data set numbers them)."),
        (
            ("a", "b", "c", "d"),
            "",
            "photos",
            "nor does data.classes: if it is another, ordinal metrics (quadratic kappa, ",
        ),
    ],
)
def test_the_order_of_the_classes_and_how_it_was_told(
    report, tmp_path, classes, given, source, said
):
    config = {
        **report.config,
        "data": {**report.config["data"], "classes": given, "source": source},
    }
    changed = dataclasses.replace(report, classes=classes, config=config)
    text = read(changed, tmp_path).text
    assert f"Order of the classes: {classes[0]}" in text and said in text


def test_a_group_that_is_frozen_at_the_best_epoch(report, tmp_path):
    page = read(dataclasses.replace(report, best_epoch=2), tmp_path)
    assert page.row("early") == ["early", "4.2e-06", "frozen", "1.6e-06"]


def test_best_by_is_named_as_in_the_table(report, tmp_path):
    for best_by, said in {"macro_f1": "best by macro F1;", "loss": "best by loss;"}.items():
        assert said in read(dataclasses.replace(report, best_by=best_by), tmp_path).text


def test_zero_has_no_sign(report, tmp_path):
    nearly = with_results(report, baselines={"b": dict.fromkeys(SCORES, -1e-5)})
    assert read(nearly, tmp_path).row("Accuracy")[3] == "0.000"


def test_negative_kappa_stays_on_its_line(report, tmp_path):
    [first] = report.results
    worse = with_results(
        report,
        metrics=SCORES | {"quadratic_kappa": -0.1},
        intervals=first.intervals | {"quadratic_kappa": (-0.3, 0.2)},
    )
    page = read(worse, tmp_path)
    assert page.row("Quadratic kappa")[2] == "−0.100−0.300 – 0.200"
    assert ("circle", "cx", "0.00%") in page.attributes
    assert ("rect", "width", "20.00%") in page.attributes


def test_an_undefined_metric_is_a_dash_with_its_reason(report, tmp_path):
    undefined = {"quadratic_kappa": None}
    [result] = report.results
    page = read(
        with_results(
            report,
            metrics=SCORES | undefined,
            intervals=result.intervals | undefined,
            baselines={"majority": SCORES | undefined},
        ),
        tmp_path,
    )
    assert page.row("Quadratic kappa")[1:4] == ["", "–no interval", "–"]
    assert "Kappa is undefined: all photographs are of one class" in page.text


def test_scores_of_a_class_that_never_occurs_are_dashes(report, tmp_path):
    [result] = report.results
    never = dataclasses.replace(
        result.analysis.classes[0], precision=None, recall=None, f1=None, photographs=0
    )
    analysis = dataclasses.replace(result.analysis, classes=(never, *result.analysis.classes[1:]))
    page = read(with_results(report, analysis=analysis), tmp_path)
    assert [never.name, "–", "–", "–", "0"] in page.rows
    assert "– is undefined: precision of a class that is never predicted" in page.text


def test_holds_everything_and_asks_for_nothing(opened, tmp_path):
    page = read(opened, tmp_path)
    markup = (tmp_path / "report.html").read_text("utf-8")
    assert "<script" not in markup
    assert "@import" not in markup
    assert "url(" not in markup
    assert "default-src 'none'" in markup
    assert not re.search(r"https?://", markup)
    addresses = [value for _, name, value in page.attributes if name in ("src", "href", "srcset")]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    images = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    names = ("confusion_figure", "reliability_figure", "risk_coverage_figure")
    figures = [getattr(one, name) for name in names for one in opened.results]
    figures.insert(2, opened.folder / "explain" / "validation" / "deletion_insertion.png")
    figures.append(opened.curves_figure)
    drawn = [image for image in images if image.startswith("data:image/png")]
    taken = [image for image in images if image.startswith("data:image/jpeg;base64,")]
    for image, figure in zip(drawn, figures, strict=True):
        data = base64.b64decode(image.removeprefix("data:image/png;base64,"), validate=True)
        assert data == figure.read_bytes()
        Image.open(io.BytesIO(data)).load()
    for image in taken:
        data = base64.b64decode(image.removeprefix("data:image/jpeg;base64,"), validate=True)
        Image.open(io.BytesIO(data)).load()
    assert len(taken) == len(images) - len(drawn) == 2 * PICTURES
    alternatives = [value for _, name, value in page.attributes if name == "alt"]
    assert sum("/" in value for value in alternatives) == 2 * PICTURES
    assert sum("/" not in value and len(value) > 20 for value in alternatives) == FIGURES


def test_every_text_is_escaped(opened, tmp_path):
    nasty = "<b>&\"'"
    pictures(tmp_path, (nasty, *CLASSES[1:]))
    [start] = opened.starts
    texts = dict.fromkeys(("devices", "processor", "system", "precision"), nasty)
    texts["devices"] = f"1 × {nasty}"
    weights = Weights(nasty, nasty, nasty, 1)
    entry = ParameterRow(f"stem.{nasty}", (1,), nasty, 0.1, 0.0, 1)
    config = {name: opened.config[name] for name in opened.config}
    page = read(
        dataclasses.replace(
            with_results(opened, interval_note=nasty, baselines={nasty: SCORES}),
            folder=tmp_path,
            title=nasty,
            source=nasty,
            model=nasty,
            starts=[dataclasses.replace(start, versions={nasty: nasty}, weights=weights, **texts)],
            classes=(nasty, *CLASSES[1:]),
            missing_glyphs=[nasty],
            best_by=nasty,
            accesses=[dataclasses.replace(LOOK, command=nasty, split=nasty, configuration=nasty)],
            history=[row | {"rate": {nasty: 1e-3}} for row in opened.history],
            parameter_table=[entry],
            config=config | {nasty: {nasty: nasty}},
        ),
        tmp_path,
    )
    markup = (tmp_path / "report.html").read_text("utf-8")
    assert "<b>" not in markup
    assert page.text.count(nasty) >= 44
    assert page.row(f"{nasty}.{nasty}")[1] == '"<b>&\\"\'"'


def test_a_folder_name_that_is_not_unicode(report, tmp_path):
    source = os.fsdecode(b"/data/\xff")
    assert "/data/?" in read(dataclasses.replace(report, source=source), tmp_path).text


def test_templates_are_those_of_the_sections_and_none_switches_escaping_off():
    templates = {path.stem: path.read_text() for path in TEMPLATES.rglob("*.html")}
    sections = {path.stem for path in (TEMPLATES / "sections").iterdir()}
    assert sections == {section.name for section in SECTIONS}
    for name, source in templates.items():
        assert not re.search(r"\|\s*safe\b|autoescape", source), name


def test_a_value_that_a_template_lacks_is_an_error(report):
    with pytest.raises(UndefinedError, match="'order' is undefined"):
        render("sections/photographs.html", report=report)


def test_same_report_same_bytes_and_nothing_left_beside(report, tmp_path):
    path = tmp_path / "report.html"
    write_report(report, path)
    first = path.read_bytes()
    write_report(report, path)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH to open the page in")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def _renamed(results, classes):
    rows = zip(results.analysis.classes, classes, strict=True)
    scores = tuple(dataclasses.replace(row, name=name) for row, name in rows)
    analysis = dataclasses.replace(results.analysis, classes=scores)
    return dataclasses.replace(results, analysis=analysis)


@pytest.fixture(scope="module")
def page(opened, tmp_path_factory):
    """The fullest page there is, with names that could push tables apart."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    classes = ("level_0_full", "no hair to speak of", "정상", "W" * 40)
    source = "/data/" + "a_long_name_without_a_place_to_break" * 4
    pictures(path.parent, classes)
    full = dataclasses.replace(
        opened,
        folder=path.parent,
        title=f"TOP: {opened.model}",
        synthetic=True,
        source=source,
        classes=classes,
        results=[_renamed(results, classes) for results in opened.results],
    )
    write_report(full, path)
    return path


OVERFLOW = """[...document.querySelectorAll('.scroll')].filter(part =>
    part.scrollWidth > part.clientWidth + 1).map(part => part.textContent.slice(0, 60))"""


@pytest.mark.browser
def test_opens_in_a_browser_without_a_complaint_or_a_request(browser, page):
    browser.open(page, width=1200)
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    images = browser.ask("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(images) == FIGURES + 2 * PICTURES
    assert sum(width >= 1000 for width in images) == FIGURES
    assert min(images) >= 100
    pixels = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB")).reshape(-1, 3)
    # Colours of the stamp, of the matrix's diagonal and of a curve: styled, and figures decoded.
    for colour, tolerance in (("fff3d1", 0), ("0a539e", 12), ("d55e00", 12)):
        distance = abs(pixels - np.array(list(bytes.fromhex(colour)))).max(1)
        assert (distance <= tolerance).sum() > 200, colour


@pytest.mark.browser
def test_every_section_has_its_heading_and_a_link(browser, page):
    browser.open(page, width=1200)
    headings = "[...document.querySelectorAll('section')].map(s => s.firstElementChild.outerHTML)"
    titles = [f"<h2>{section.title}</h2>" for section in SECTIONS]
    assert browser.ask(headings) == titles
    follow = "[...document.querySelectorAll('nav a')].map(a => document.querySelector(a.hash).id)"
    assert browser.ask(follow) == [section.name for section in SECTIONS]


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1200])
def test_nothing_is_wider_than_the_window(browser, page, width):
    browser.open(page, width=width, phone=width < 700)
    browser.ask("document.querySelectorAll('details').forEach(part => part.open = true)")
    # A telephone's window grows with what does not fit, so that nothing is left to scroll.
    assert browser.ask("innerWidth") == width
    root = "document.documentElement"
    assert browser.ask(f"{root}.scrollWidth - {root}.clientWidth") == 0
    if width == 1200:
        assert browser.ask(OVERFLOW) == []
    # A name without a space leaves room for the numbers beside it.
    names = "[...document.querySelectorAll('.estimates tbody th')].map(part => part.clientWidth)"
    assert max(browser.ask(names)) < width / 2


@pytest.mark.browser
def test_prints_on_a4_with_whole_tables(browser, page):
    # The width between the margins of the page.
    browser.open(page, width=673, media="print")
    assert browser.ask(OVERFLOW) == []
    hidden = "getComputedStyle(document.querySelector('nav')).display"
    assert browser.ask(hidden) == "none"
    browser.open(page, width=1200)
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF-")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 25
