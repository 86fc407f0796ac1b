import base64
import dataclasses
import io
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from hairjax.evaluation import metrics
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.predictions import Predictions
from hairjax.evaluation.sample import Sample
from hairjax.report.analysis_section import AnalysisSection
from hairjax.report.figures import confusion_figure, learning_curves
from hairjax.report.page import Report, write_report

CLASSES = ("normal", "mild", "moderate", "severe")
CONFUSION = np.array([[76, 4, 0, 0], [9, 62, 9, 1], [0, 8, 64, 7], [0, 1, 6, 73]])
SCORES = {name: float(metric(CONFUSION)) for name, metric in metrics.COUNT_METRICS.items()}
SCORES["log_loss"] = 0.41
SCORES["expected_calibration_error"] = 0.06
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)


def analysis(folder):
    """Of photographs whose confusion matrix is the one above."""
    labels, guessed = (np.repeat(axis.ravel(), CONFUSION.ravel()) for axis in np.indices((4, 4)))
    p = (0.6 * np.eye(4)[guessed] + 0.1).astype(np.float32)
    names = tuple(map(str, range(320)))
    given = Predictions(names, labels, p, tuple(f"s{i // 3}" for i in range(320)), CLASSES)
    columns = {"camera": {name: "old" if int(name) % 3 else "<b>&\"'" for name in names}}
    found = analyse(given, Sample.draw(given, 100, 0), given, columns)
    return AnalysisSection(found, folder / "confusion.png", folder / "curves.png")


def history(epochs):
    return [
        {
            "epoch": epoch,
            "train": {"loss": 1.4 / epoch, "accuracy": 0.9},
            "validation": SCORES,
            "rate": {"early": 0.0 if epoch < 3 else 1.25e-5 / epoch, "late": 1e-3},
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    learning_curves(history(8), 5, folder / "curves.png")
    confusion_figure(CONFUSION, CLASSES, folder / "confusion.png")
    return Report(
        title="TOP: four stages",
        source="/data/top",
        synthetic=False,
        model="swin_tiny_patch4_window7_224",
        parameters=27_525_000,
        weights="hf://timm/swin_tiny_patch4_window7_224.ms_in22k",
        classes=CLASSES,
        counts={"train": (640, 641, 639, 640), "validation": (80, 81, 79, 80)},
        subjects={"train": 853, "validation": 107},
        split="validation",
        metrics={"epoch": 5} | SCORES,
        best_by="quadratic_kappa",
        intervals={name: (value - 0.05, value + 0.03) for name, value in SCORES.items()},
        interval_note="bootstrap over 107 subjects, 2,000 draws",
        baselines={"majority": dict.fromkeys(SCORES, 0.25), "nearest": {"accuracy": 0.48}},
        confusion=CONFUSION,
        analysis=analysis(folder),
        history=history(8),
        timing=[
            {"epoch": e, "seconds": 93.0, "images_per_second": 27.6, "peak_memory_bytes": 3 << 30}
            for e in range(1, 9)
        ],
        config={"seed": 0, "optim": {"peak": {"late": 1e-3}}, "data": {"photos": "/data/top"}},
        versions={"jax": "0.10.2"},
        hardware={"Devices": "2 × CPU"},
        curves_figure=folder / "curves.png",
        confusion_figure=folder / "confusion.png",
    )


class Page(HTMLParser):
    """Reads a page, checks that its elements nest, and keeps attributes, text and rows."""

    VOID = ("meta", "link", "img")

    def __init__(self, markup):
        super().__init__()
        self.open, self.attributes, self.text, self.rows = [], [], [], []
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, first):
        return next(row for row in self.rows if row and row[0] == first)


def read(report, folder):
    write_report(report, folder / "report.html")
    return Page((folder / "report.html").read_text("utf-8"))


def test_says_what_was_trained_on_what(report, tmp_path):
    text = "".join(read(report, tmp_path).text)
    assert (
        "swin_tiny_patch4_window7_224 with 27,525,000 parameters, started from "
        "hf://timm/swin_tiny_patch4_window7_224.ms_in22k, trained on 2,560 photographs of 853 "
        "subjects. Epoch 5 of 8 was the best by quadratic kappa; it is judged here on the "
        "validation split, 320 photographs of 107 subjects."
    ) in text
    assert "Photographs: /data/top" in text
    assert "95 % interval (bootstrap over 107 subjects, 2,000 draws)" in text
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
    assert page.row("Total") == ["Total", "2,560", "320"]
    assert page.row("Subjects") == ["Subjects", "853", "107"]
    assert page.row("Time") == ["Time", "12 min 24 s for 8 epochs"]
    assert page.row("Peak memory") == ["Peak memory", "3.0 GiB"]
    assert page.row("jax") == ["jax", "0.10.2"]
    assert page.row("optim.peak.late") == ["optim.peak.late", "0.001"]


def test_synthetic_photographs_are_stamped(report, tmp_path):
    page = read(dataclasses.replace(report, synthetic=True, source="TOP, seed 0"), tmp_path)
    assert ("p", "class", "stamp") in page.attributes
    assert "Synthetic photographs (TOP, seed 0), drawn by a program" in "".join(page.text)


def test_what_is_not_known_is_said(report, tmp_path):
    rows = [row | {"peak_memory_bytes": None} for row in report.timing]
    unknown = dataclasses.replace(
        report, subjects={"train": 0, "validation": 0}, timing=rows, best_by="loss"
    )
    page = read(unknown, tmp_path)
    text = "".join(page.text)
    assert "the best by loss" in text
    assert "validation split, 320 photographs." in text
    assert "Subjects are not known" in text
    assert not any(row and row[0] in ("Subjects", "Peak memory") for row in page.rows)


def test_a_group_that_is_frozen_at_the_best_epoch(report, tmp_path):
    page = read(dataclasses.replace(report, metrics=report.metrics | {"epoch": 2}), tmp_path)
    assert page.row("early") == ["early", "4.2e-06", "frozen", "1.6e-06"]


def test_best_by_is_named_as_in_the_table(report, tmp_path):
    for best_by, said in {"macro_f1": "best by macro F1;", "loss": "best by loss;"}.items():
        assert said in "".join(read(dataclasses.replace(report, best_by=best_by), tmp_path).text)


def test_zero_has_no_sign(report, tmp_path):
    nearly = dataclasses.replace(report, baselines={"b": dict.fromkeys(SCORES, -1e-5)})
    assert read(nearly, tmp_path).row("Accuracy")[3] == "0.000"


def test_negative_kappa_stays_on_its_line(report, tmp_path):
    worse = dataclasses.replace(
        report,
        metrics=report.metrics | {"quadratic_kappa": -0.1},
        intervals=report.intervals | {"quadratic_kappa": (-0.3, 0.2)},
    )
    page = read(worse, tmp_path)
    assert page.row("Quadratic kappa")[2] == "−0.100−0.300 – 0.200"
    assert ("circle", "cx", "0.00%") in page.attributes
    assert ("rect", "width", "20.00%") in page.attributes


def test_holds_everything_and_asks_for_nothing(report, tmp_path):
    page = read(report, tmp_path)
    markup = (tmp_path / "report.html").read_text("utf-8")
    assert "<script" not in markup
    assert "@import" not in markup
    assert "url(" not in markup
    assert "default-src 'none'" in markup
    assert not re.search(r"https?://", markup)
    addresses = [value for _, name, value in page.attributes if name in ("src", "href", "srcset")]
    assert len(addresses) == 5
    assert all(address.startswith("data:") for address in addresses)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    images = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    confusion, curves = report.confusion_figure, report.curves_figure
    for image, figure in zip(images, (confusion, confusion, curves, curves), strict=True):
        data = base64.b64decode(image.removeprefix("data:image/png;base64,"), validate=True)
        assert data == figure.read_bytes()
        Image.open(io.BytesIO(data)).load()
    assert sum(name == "alt" and len(value) > 20 for _, name, value in page.attributes) == 4


def test_every_text_is_escaped(report, tmp_path):
    nasty = "<b>&\"'"
    page = read(
        dataclasses.replace(
            report,
            title=nasty,
            source=nasty,
            model=nasty,
            weights=nasty,
            classes=(nasty, *CLASSES[1:]),
            best_by=nasty,
            interval_note=nasty,
            baselines={nasty: SCORES},
            history=[row | {"rate": {nasty: 1e-3}} for row in report.history],
            config={nasty: {nasty: nasty}},
            versions={nasty: nasty},
            hardware={nasty: nasty},
        ),
        tmp_path,
    )
    markup = (tmp_path / "report.html").read_text("utf-8")
    assert "<b>" not in markup
    assert "".join(page.text).count(nasty) >= 13
    assert page.row(f"{nasty}.{nasty}")[1] == '"<b>&\\"\'"'


def test_a_folder_name_that_is_not_unicode(report, tmp_path):
    source = os.fsdecode(b"/data/\xff")
    assert "/data/?" in read(dataclasses.replace(report, source=source), tmp_path).text


def test_same_report_same_bytes_and_nothing_left_beside(report, tmp_path):
    path = tmp_path / "report.html"
    write_report(report, path)
    first = path.read_bytes()
    write_report(report, path)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to open the report in")
def test_renders_in_chromium(report, tmp_path):
    write_report(dataclasses.replace(report, synthetic=True), tmp_path / "report.html")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += ["--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--enable-logging=stderr", "--blink-settings=preferredColorScheme=1"]
    command += ["--window-size=900,6000", f"--screenshot={tmp_path / 'page.png'}", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "report.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # What the page's policy blocks, and any other complaint about the page, is on the console.
    assert "CONSOLE" not in done.stderr
    assert "Synthetic photographs" in done.stdout
    with Image.open(tmp_path / "page.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    # Colours of the stamp, of the matrix's diagonal and of a curve: styled, and figures decoded.
    for colour, tolerance in (("fff3d1", 0), ("0a539e", 12), ("d55e00", 12)):
        distance = abs(pixels - np.array(list(bytes.fromhex(colour)))).max(1)
        assert (distance <= tolerance).sum() > 200, colour
