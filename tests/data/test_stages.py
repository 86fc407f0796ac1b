"""Photographs found with classes and people as users spell them, up to what training is told."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from configs import top
from hairjax.builders.data_set import find_data
from hairjax.builders.setup import resolve
from hairjax.data.sources.manifest import Manifest
from hairjax.system.errors import UserError


def made(folder: Path, rows, **keys):
    """The source of a manifest of (label, subject), a photograph each."""
    (folder / "photos").mkdir(exist_ok=True)
    lines = [("file", "label", "subject")]
    for number, row in enumerate(rows):
        (folder / "photos" / f"{number}.jpg").touch()
        lines.append((f"{number}.jpg", *row))
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    (folder / "labels.csv").write_text(text.getvalue(), encoding="utf-8")
    config = top.get_config()
    config.model.in_channels = 3
    config.data.photos = str(folder / "photos")
    config.data.manifest = str(folder / "labels.csv")
    with config.unlocked():
        config.update_from_flattened_dict(keys)
    return resolve(config).source


def labelled(folder, labels, **keys):
    return made(folder, [(label, f"s{number}") for number, label in enumerate(labels)], **keys)


def found(source, classes=None):
    [index] = find_data(source, classes)
    return index


WORDS = ["severe", "none", "moderate", "mild", "none"]


def test_the_order_is_said_in_one_line(tmp_path, capsys):
    index = found(labelled(tmp_path, WORDS))
    assert index.classes == ("none", "mild", "moderate", "severe")
    assert [entry.label for entry in index.entries] == [3, 0, 2, 1, 0]
    said = "order of the classes: none < mild < moderate < severe (by words of severity or amount)"
    assert capsys.readouterr().out.splitlines() == [said]


@pytest.mark.situation(
    "Classes and labels",
    "names whose order only their owner knows",
    "`data.classes=c,a,b`",
)
def test_an_order_that_is_given_counts(tmp_path, capsys):
    index = found(labelled(tmp_path, ["a", "b", "c"], **{"data.classes": "c,a,b"}))
    assert [entry.label for entry in index.entries] == [1, 2, 0]
    assert "c < a < b (as data.classes gives it)" in capsys.readouterr().out


def test_an_order_that_cannot_be_told_is_said_with_what_it_means(tmp_path, capsys):
    assert found(labelled(tmp_path, ["thin", "bald", "full hair"])).classes[0] == "bald"
    [said] = capsys.readouterr().out.splitlines()
    assert "alphabetical" in said and "quadratic kappa, mean stage error" in said
    assert "'--config.data.classes=bald,full hair,thin'" in said


@pytest.mark.parametrize(
    "keys",
    [{"model.head": "corn"}, {"model.head": "cumulative"}, {"keep.best_by": "quadratic_kappa"}],
)
@pytest.mark.situation(
    "Classes and labels",
    "an ordinal head, or the best epoch by kappa, where the order cannot be told",
    "asked for before training",
)
def test_where_an_order_matters_it_is_asked_for(tmp_path, keys):
    [(key, value)] = keys.items()
    source = labelled(tmp_path, ["thin", "bald", "full"], **keys)
    with pytest.raises(
        UserError, match=rf"config\.{key}={value} needs the order .*=bald,full,thin"
    ):
        found(source)
    # Not of a run that goes on, of two classes, nor where it is told.
    assert found(source, ("full", "thin", "bald")).classes == ("full", "thin", "bald")
    for labels in (["thin", "bald"], WORDS):
        found(labelled(tmp_path, labels, **keys))


PEOPLE = ["P1", "P01", "p1", "P-1", "P2", "P02", "3", "3.0", "03", "13", "1-3"]


@pytest.mark.parametrize("how", ["manifest", "expression"])
@pytest.mark.situation(
    "Subjects",
    "`P1`, `P01`, `p1`, `P-1`; `3`, `3.0`, `03`",
    "refused with the groups, until `data.spelling=merge` or `apart`",
)
def test_people_in_several_spellings(tmp_path, how):
    def source(spelling):
        keys = {"data.spelling": spelling}
        rows = [(str(number % 2), name) for number, name in enumerate(PEOPLE)]
        if how == "expression":
            for name in PEOPLE:
                (tmp_path / f"again/{len(name) % 2}").mkdir(parents=True, exist_ok=True)
                (tmp_path / f"again/{len(name) % 2}/{name}_x.jpg").touch()
            keys |= {"data.subject": "/([^/]+)_"}
        one = made(tmp_path, rows, **keys)
        if how == "manifest":
            return one
        return replace(
            one, manifest=Manifest(""), views=(replace(one.views[0], photos=f"{tmp_path}/again"),)
        )

    with pytest.raises(UserError) as caught:
        found(source("refuse"))
    assert "people (3):\n    '03' = '3' = '3.0'\n    'P-1' = 'P01' = 'P1' = 'p1'" in str(
        caught.value
    )
    apart = {entry.subject for entry in found(source("apart")).entries}
    assert apart == {*PEOPLE}
    merged = [entry.subject for entry in found(source("merge")).entries]
    assert sorted(set(merged)) == ["1-3", "13", "3", "p1", "p2"]
    assert merged.count("p1") == 4


@pytest.mark.situation(
    "Classes and labels",
    "`Stage 0` and `stage_0`, `0` and `0.0`, `Level_0` and `level_0`",
    "refused with the groups, until `data.spelling=merge` or `apart`",
)
def test_classes_in_several_spellings(tmp_path, capsys):
    labels = ["Stage 0", "stage_0", "stage_0", "stage_1", "Stage 1", "stage_2"]
    with pytest.raises(UserError, match=r"classes \(2\):\n    'Stage 0' = 'stage_0'"):
        found(labelled(tmp_path, labels))
    index = found(labelled(tmp_path, labels, **{"data.spelling": "merge"}))
    assert index.classes == ("stage_0", "Stage 1", "stage_2")
    assert [entry.label for entry in index.entries] == [0, 0, 0, 1, 1, 2]
    assert "stage_0 < Stage 1 < stage_2 (by number)" in capsys.readouterr().out
    index = found(labelled(tmp_path, labels, **{"data.spelling": "apart"}))
    assert index.classes == tuple(sorted(set(labels)))
    # A run asks nothing.
    run = ("stage_0", "stage_1", "stage_2")
    assert [entry.label for entry in found(labelled(tmp_path, labels), run).entries] == [
        0, 0, 0, 1, 1, 2]  # fmt: skip


def test_classes_and_people_are_refused_in_one_report(tmp_path):
    source = made(tmp_path, [("0", "1"), ("0.0", "1.0"), ("1", "2")])
    with pytest.raises(UserError, match=r"2 names are .*\n  classes \(1\):(.|\n)*people \(1\):"):
        found(source)


@pytest.mark.situation(
    "Classes and labels",
    "`nan`, `?`, `N/A`, `unknown` or an empty cell as label",
    "named as without label, no class of its own",
)
def test_labels_that_mean_missing_are_problems(tmp_path):
    index = found(labelled(tmp_path, ["0", "1", "nan", "?", "", "None", "N/A"]))
    assert index.classes == ("0", "1") and len(index.entries) == 2
    assert {problem.kind for problem in index.problems} == {"no label"}
    assert len(index.problems) == 5
    index = found(labelled(tmp_path, ["none", "mild", "unknown", "severe"]))
    assert index.classes == ("none", "mild", "severe") and len(index.problems) == 1
    keys = {"data.classes": "0,1,unknown"}
    index = found(labelled(tmp_path, ["0", "1", "unknown"], **keys))
    assert index.classes == ("0", "1", "unknown") and not index.problems


@pytest.mark.situation(
    "Subjects",
    "`nan`, `?`, `unknown` or an empty cell as subject",
    "not known, said; never one person",
)
def test_people_who_are_not_known_are_nobody(tmp_path, capsys):
    names = ["nan", "nan", "?", "unknown", "N/A", "", "NA", "Null", "s1", "s1"]
    rows = [(str(number % 2), name) for number, name in enumerate(names)]
    subjects = {entry.file: entry.subject for entry in found(made(tmp_path, rows)).entries}
    assert [subjects[f"{i}.jpg"] for i in range(10)] == [""] * 6 + ["NA", "Null", "s1", "s1"]
    said = "the subject of 5 photographs is 'nan', '?', 'unknown', 'N/A': taken as not known"
    assert said in capsys.readouterr().out.splitlines()
    # As runs of before had it.
    apart = found(made(tmp_path, rows, **{"data.spelling": "apart"}))
    assert [entry.subject for entry in apart.entries].count("nan") == 2


@pytest.mark.situation(
    "Classes and labels",
    "`none` beside `bald` alone",
    "asked: `data.classes=none,bald` where it is a class",
)
def test_one_class_beside_a_label_that_means_none(tmp_path):
    with pytest.raises(UserError, match=r"holds 1 class bald: .*; if 'none' is a class too, name"):
        found(labelled(tmp_path, ["none", "bald"]))
    keys = {"data.classes": "none,bald"}
    assert found(labelled(tmp_path, ["none", "bald"], **keys)).classes == ("none", "bald")


@pytest.mark.situation(
    "Classes and labels",
    "fractions as labels (`0.33`, `1.67`), as means of several graders",
    "refused: they are measured, not classes",
)
def test_mean_opinions_are_refused_unless_they_are_given(tmp_path):
    labels = ["0.33", "1.67", "2"]
    with pytest.raises(UserError, match="look like mean opinions"):
        found(labelled(tmp_path, labels))
    keys = {"data.classes": "0.33,1.67,2"}
    assert found(labelled(tmp_path, labels, **keys)).classes == ("0.33", "1.67", "2")


@pytest.mark.situation(
    "Subjects",
    "a person spelt otherwise in TOP than in SIDE",
    "found across both views",
)
def test_a_view_spells_people_as_the_other_does(tmp_path):
    (tmp_path / "side").mkdir()
    one = made(tmp_path, [("0", "P1"), ("1", "P2")])
    other = made(tmp_path / "side", [("0", "p01"), ("1", "P2")])
    # Each view has a manifest of its own here; find_data is given the expression in place of it.
    for folder, names in ((tmp_path / "a", ("P1", "P2")), (tmp_path / "b", ("p01", "P2"))):
        for label, name in enumerate(names):
            (folder / str(label)).mkdir(parents=True)
            (folder / f"{label}/{name}_.jpg").touch()
    views = tuple(
        replace(view, photos=str(tmp_path / name))
        for view, name in ((one.views[0], "a"), (other.views[0], "b"))
    )
    both = replace(one, manifest=Manifest(""), subject="/([^/]+)_", views=views)
    with pytest.raises(UserError, match="'P1' = 'p01'"):
        find_data(both, None)
    first, second = find_data(replace(both, spelling="merge"), None)
    assert [entry.subject for entry in first.entries] == ["p1", "p2"]
    assert [entry.subject for entry in second.entries] == ["p1", "p2"]
