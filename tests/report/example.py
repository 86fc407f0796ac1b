"""The report of a run that was never made, for tests of the page and of its sections."""

import dataclasses

import numpy as np

from hairjax.config.load import load_config, to_plain
from hairjax.data.inputs import InputSpecification
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.explain.deletion import CURVES
from hairjax.evaluation.explain.reliance import METRICS as REACHED
from hairjax.evaluation.explain.reliance import Reliance
from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.predictions import Predictions
from hairjax.optim.parameter_table import ParameterRow
from hairjax.report.contents import Report, SplitResults
from hairjax.report.explanation import (
    Agreement,
    Area,
    ExplainFolder,
    Explanation,
    write_explanation,
)
from hairjax.report.figures.classification import learning_curves
from hairjax.report.figures.explanation import curves_figure
from hairjax.report.gallery import write_gallery
from hairjax.report.show_results import plot_results
from hairjax.runs.environment import Start, Weights
from hairjax.runs.folder import RunFolder

CLASSES = ("normal", "mild", "moderate", "severe")
CONFUSION = np.array([[76, 4, 0, 0], [9, 62, 9, 1], [0, 8, 64, 7], [0, 1, 6, 73]])
SCORES = {name: float(metric(CONFUSION)) for name, metric in metrics.COUNT_METRICS.items()}
SCORES["log_loss"] = 0.41
SCORES["expected_calibration_error"] = 0.06
ENTRIES = [
    ParameterRow("head.classifier.kernel", (768, 4), "late", 0.001, 0.01, 1),
    ParameterRow("head.classifier.bias", (4,), "late", 0.001, 0.0, 1),
    ParameterRow("stages.2.merge.kernel", (768, 384), "middle", 5e-05, 0.01, 1),
    ParameterRow("stages.10.norm.scale", (96,), "middle", 5e-05, 0.0, 1),
    ParameterRow("stages.2.norm.mean", (7,), "statistics", 0.0, 0.0, 0),
    ParameterRow("stem.proj.kernel", (4, 4, 6, 96), "early", 0.0, 0.0, 0),
]


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


def predictions(confusion):
    """Photographs that are predicted as a confusion matrix says."""
    cells = [cell for cell in np.ndindex(confusion.shape) for _ in range(confusion[cell])]
    labels, predicted = np.array(cells).T
    return Predictions(
        files=tuple(f"{CLASSES[label]}/{i}.jpg" for i, label in enumerate(labels)),
        labels=labels,
        probabilities=np.eye(4, dtype=np.float32)[predicted] * 0.6 + np.float32(0.1),
        subjects=tuple(f"person_{i // 3}" for i in range(len(labels))),
        classes=CLASSES,
    )


def judgement(split, folder, validation=None, columns=None):
    """Of photographs with the confusion matrix above; its figures are in a folder of its own."""
    given = predictions(CONFUSION)
    validation = given if validation is None else validation
    found = analyse(given, Sample.from_predictions(given), validation, columns or {})
    place = RunFolder(folder / split)
    place.path.mkdir(exist_ok=True)
    plot_results(given, found, place)
    return SplitResults(
        split=split,
        predictions=given,
        metrics=SCORES,
        intervals={name: (value - 0.05, value + 0.03) for name, value in SCORES.items()},
        interval_note="jackknife over 107 subjects, Student's t",
        baselines={"majority": dict.fromkeys(SCORES, 0.25), "nearest": {"accuracy": 0.48}},
        confusion=CONFUSION,
        analysis=found,
        confusion_figure=place.confusion,
        reliability_figure=place.reliability,
        risk_coverage_figure=place.risk_coverage,
    )


def judged(report, **changes):
    """The report with something else about its first judgement."""
    first, *others = report.results
    return dataclasses.replace(report, results=[dataclasses.replace(first, **changes), *others])


def example_report(folder):
    """Of a run whose test photographs were never looked at."""
    learning_curves(history(8), 5, folder / "curves.png")
    start = Start(
        time="2026-02-28T09:30:00+00:00",
        commit="cd" * 20,
        versions={"python": "3.11.9", "jax": "0.10.2"},
        devices="2 × cpu",
        processor="2 × AMD EPYC",
        memory=24 << 30,
        system="Linux x86_64",
        precision="float32",
        parameters=27_525_000,
        weights=Weights(
            "hf://timm/swin_tiny_patch4_window7_224.ms_in22k",
            "model.safetensors",
            "f00d" * 16,
            113 << 20,
        ),
        second_weights=None,
    )
    timing = {"seconds": 93.0, "images_per_second": 27.6, "peak_memory_bytes": 3 << 30}
    return Report(
        folder=folder,
        title="TOP: four stages",
        source="/data/top",
        synthetic=False,
        model="swin_tiny_patch4_window7_224",
        method="grad_cam",
        input_spec=InputSpecification(224, (6,), ("imagenet",)),
        starts=[start],
        classes=CLASSES,
        undrawable=(),
        counts={
            "train": (640, 641, 639, 640),
            "validation": (80, 81, 79, 80),
            "test": (80, 80, 79, 80),
        },
        subjects={"train": 853, "validation": 107, "test": 106},
        without_subject=0,
        conflicting=0,
        ancestry=None,
        overlap=None,
        best_epoch=5,
        best_by="quadratic_kappa",
        results=[judgement("validation", folder)],
        outdated=(),
        accesses=(),
        history=history(8),
        timing=[{"epoch": epoch, "devices": 2} | timing for epoch in range(1, 9)],
        parameter_table=ENTRIES,
        config=to_plain(load_config("configs/top.py")),
        division="",
        curves_figure=folder / "curves.png",
    )


def pictures(folder, classes=CLASSES):
    """A gallery of two mistakes, and what was explained of validation, in the folder of a run."""
    said = Predictions(
        files=("mild/a_rather_long_name_of_a_photograph.jpg", "severe/2.jpg"),
        labels=np.array([1, 3]),
        probabilities=np.eye(4, dtype=np.float32)[[2, 0]] * 0.9 + np.float32(0.025),
        subjects=("a", "b"),
        classes=classes,
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 4), np.uint8)
    photos = PhotoSet(
        images=images,
        labels=said.labels,
        files=said.files,
        subjects=said.subjects,
        sha256=("", ""),
        classes=said.classes,
        has_masks=True,
    )
    maps = np.arange(18, dtype=np.float32).reshape(2, 3, 3) - 6
    place = ExplainFolder(folder / "explain" / "validation")
    write_gallery(photos, said, maps, 5, 45, folder / "gallery")
    write_gallery(photos, said, maps, 5, 320, place.examples)
    curves = {name: np.linspace(0, 1, 42, dtype=np.float32).reshape(2, 21) for name in CURVES}
    curves_figure("Grad-CAM", curves, curves, place.curves)
    write_explanation(found(classes), place.found)


def found(classes=CLASSES):
    """What was explained; the model leans on the mask."""
    inside, masked, more = (0.4, (0.35, 0.46)), (0.25, (0.2, 0.3)), (0.15, (0.1, 0.2))
    change = (-0.25, (-0.3, -0.2))
    return Explanation(
        epoch=5,
        split="validation",
        photographs=320,
        subjects=20,
        side=224,
        channels=6,
        method="grad_cam",
        stage=4,
        stages=4,
        places=(7, 7),
        empty=3,
        agreement=tuple(Agreement(name, 80, inside, masked, more) for name in (*classes, "all")),
        followed=32,
        areas={name: Area(0.41, 0.57, (-0.16, (-0.2, -0.12))) for name in CURVES},
        reliance=(
            Reliance("", dict.fromkeys(REACHED, inside), {}),
            Reliance(
                "without the mask", dict.fromkeys(REACHED, inside), dict.fromkeys(REACHED, change)
            ),
            Reliance(
                "mask of another photograph",
                dict.fromkeys(REACHED, (0.25, None)),
                dict.fromkeys(REACHED, change),
            ),
        ),
        interval_note="jackknife over subjects, Student's t",
    )
