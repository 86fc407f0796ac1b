"""Numbers that degenerate sets leave undefined: None, never nan, and said where they are read."""

import json
import re
import warnings
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation import baselines
from hairjax.evaluation.analysis import analyse, read_analysis
from hairjax.evaluation.explain.reliance import measure_reliance
from hairjax.evaluation.metrics.jackknife import subject_indices
from hairjax.evaluation.metrics.paired import METRICS, compare, summarise
from hairjax.evaluation.predictions import Predictions
from hairjax.report.numbers import UNDEFINED, number, number_range
from hairjax.report.show_results import result_cells, show_analysis, show_metrics
from hairjax.runs.folder import RunFolder
from hairjax.runs.results import measure, write_results
from hairjax.training import loop
from hairjax.training.classification import Classification


@st.composite
def degenerate(draw):
    """A few photographs of few classes and people, the model very sure or always the same."""
    k, n = draw(st.integers(2, 4)), draw(st.integers(1, 8))
    few = st.integers(0, draw(st.integers(0, k - 1)))
    labels = np.array(draw(st.lists(few, min_size=n, max_size=n)))
    people = st.sampled_from(["", "a", "b"])
    subjects = tuple(draw(st.lists(people, min_size=n, max_size=n)))
    kind = draw(st.sampled_from(["certain", "right", "equal", "any"]))
    given = draw(st.lists(few, min_size=n, max_size=n))
    p = {
        "certain": np.eye(k)[given],
        "right": np.eye(k)[labels],
        "equal": np.full((n, k), 1 / k),
        "any": np.random.default_rng(n).dirichlet(np.ones(k), n),
    }[kind]
    return Predictions(
        tuple(f"{i}.png" for i in range(n)),
        labels,
        p.astype(np.float32),
        subjects,
        tuple("abcd"[:k]),
    )


def without_nan(value):
    """The value as JSON, which has no nan and no infinity."""
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.situation(
    "Results",
    "one photograph, one person, one class, or a class that is never there or never predicted",
    "what is undefined is null in JSON, empty in CSV and – on pages and terminals, with the reason",
)
@settings(deadline=None, max_examples=60)
@given(degenerate())
def test_no_number_is_nan_and_nothing_warns(tmp_path_factory, predictions):
    columns = {"camera": {file: str(i % 2) for i, file in enumerate(predictions.files)}}
    folder = RunFolder(tmp_path_factory.mktemp("results"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = measure(predictions)
        analysis = analyse(predictions, results.sample, predictions, columns)
        labels, k = predictions.labels, len(predictions.classes)
        compared = {"majority class": baselines.majority(labels, labels, k)}
        write_results(folder, 1, predictions, results, analysis, compared)
        show_metrics("", results, compared)
        show_analysis(analysis)
        result_cells(results)
    written = json.loads(folder.metrics.read_text())
    assert without_nan(written) == written
    assert read_analysis(written).classes[0].name == "a"
    assert (written["error_by_chance"] is None) == (results.sample.units == 1)
    assert (written["quadratic_kappa"] is None) == (len(set(labels.tolist())) == 1)
    for scores in written["classes"]:
        there = scores["photographs"] > 0
        given = scores["name"] in [predictions.classes[i] for i in predictions.predicted]
        assert (scores["recall"] is not None) == there
        assert (scores["precision"] is not None) == given
        assert (scores["f1"] is not None) == (there or given)


@settings(deadline=None, max_examples=30)
@given(degenerate())
def test_neither_is_a_difference(predictions):
    other = predictions.probabilities[:, ::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unit = subject_indices(predictions.subjects)
        first, second = (
            summarise(predictions.labels, [p, p], unit) for p in (predictions.probabilities, other)
        )
        found = compare(first, second)
        values = {
            name: (first.mean(name), first.sd(name), first.interval(name)) for name in METRICS
        }
        changed = Predictions(**{**predictions.__dict__, "probabilities": other})
        reliance = measure_reliance(predictions, {"mirrored": changed})
    without_nan([found.differences, values, [asdict(one) for one in reliance]])
    one_class = len(set(predictions.labels.tolist())) == 1
    assert (found.differences["quadratic_kappa"] is None) == one_class
    assert (values["quadratic_kappa"][0] is None) == one_class
    assert (reliance[1].differences["quadratic_kappa"] is None) == one_class
    assert 0 <= found.mcnemar <= 1 and 0 <= found.by_subject <= 1


def one_class(right):
    """Four photographs of class b, of which the model sees some as a."""
    p = np.array([[0.1, 0.9] if i < right else [0.8, 0.2] for i in range(4)], np.float32)
    files = tuple(f"{i}.png" for i in range(4))
    return Predictions(files, np.ones(4, int), p, ("s", "s", "t", "u"), ("a", "b"))


@pytest.mark.parametrize("right", [4, 2])
def test_the_terminal_says_why(capsys, right):
    results = measure(one_class(right))
    show_metrics("validation", results, {"majority class": results.metrics})
    said = capsys.readouterr().out
    assert re.search(r"quadratic kappa +– +no interval +–", said)
    assert "Kappa is undefined: all photographs are of one class" in said
    assert result_cells(results)[2] == UNDEFINED


def test_an_epoch_whose_kappa_is_undefined_says_so_and_can_be_chosen(tmp_path):
    task = Classification(classes=2, smoothing=0.0, class_weights=None)
    found = task.evaluate(one_class(3))
    assert task.describe({"loss": 1.0, "accuracy": 1.0}, found).endswith("kappa undefined")
    setup = SimpleNamespace(training=SimpleNamespace(best_by="quadratic_kappa"))
    plan = SimpleNamespace(setup=setup, options=SimpleNamespace(task=task), steps=5)
    chosen = loop._candidate(plan, {"epoch": 2, "validation": found})
    assert chosen["value"] == 0 and chosen["loss"] == found["log_loss"]
    RunFolder(tmp_path).append_line(tmp_path / "metrics.jsonl", {"validation": found})
    assert '"quadratic_kappa": null' in (tmp_path / "metrics.jsonl").read_text()


def test_json_never_holds_nan(tmp_path):
    folder = RunFolder(tmp_path)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            folder.write_json(folder.metrics, {"accuracy": bad})
    assert not list(tmp_path.iterdir())


def test_a_dash_stands_for_it():
    assert number(None) == UNDEFINED == "–"
    assert number_range(None) == "no interval"
