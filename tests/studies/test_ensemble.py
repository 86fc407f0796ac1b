"""``launch.py ensemble`` on runs whose predictions are written by hand."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

import launch
from configs import top
from hairjax.config.load import load_config, to_plain
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import make_folds, write_split
from hairjax.evaluation.predictions import Predictions, write_predictions
from hairjax.runs.access import read_access
from hairjax.runs.ancestry import run_ancestry, write_ancestry
from hairjax.runs.folder import RunFolder
from hairjax.runs.read_predictions import read_run
from hairjax.studies.compare import compare_runs
from hairjax.system.errors import UserError
from tests.runs.written_runs import write_folder

pytestmark = pytest.mark.usefixtures("blank_figures")

CLASSES = ("level_0", "level_1", "level_2")
PARTS = ("train", "validation", "test")


def photographs(takes, people=range(54), view="top"):
    """Of every person so many; their stage is their number, modulo three."""
    shots = [(person, take) for person in people for take in range(takes)]
    return PhotoSet(
        images=np.zeros((len(shots), 4, 4, 4), np.uint8),
        labels=np.array([person % 3 for person, _ in shots], np.int32),
        files=tuple(f"level_{person % 3}/p{person:02}_{take}.png" for person, take in shots),
        subjects=tuple(f"p{person:02}" for person, _ in shots),
        sha256=tuple(f"{view}-{person}-{take}".ljust(64, "0") for person, take in shots),
        classes=CLASSES,
        has_masks=False,
    )


def by_person(photos):
    return np.array(PARTS)[[int(subject[1:]) // 3 % 3 for subject in photos.subjects]]


def write_run(folder, photos, split, seed, signal=0.7, **changed):
    """A run as `train` and `evaluate --split=test` leave it."""
    config = top.get_config("demo")
    config.update_from_flattened_dict({k.replace("__", "."): v for k, v in changed.items()})
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(to_plain(config)))
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    write_split(folder / "split.csv", photos, split)
    generator = np.random.default_rng(seed)
    for part, place in (("validation", folder), ("test", folder / "test")):
        chosen = photos.subset(split == part)
        noise = generator.dirichlet(np.ones(3), len(chosen))
        p = ((1 - signal) * noise + signal * noise**0.2 * np.eye(3)[chosen.labels]) + 1e-3
        p = (p / p.sum(1, keepdims=True)).astype(np.float32)
        place.mkdir(exist_ok=True)
        write_predictions(
            Predictions(chosen.files, chosen.labels, p, chosen.subjects, CLASSES),
            place / "predictions.csv",
        )
        (place / "metrics.json").write_text(json.dumps({"epoch": 3 + seed}))
    return folder


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    photos = photographs(2)
    for seed, (name, signal) in enumerate([("a", 0.3), ("b", 0.4), ("c", 0.0)]):
        write_run(root / name, photos, by_person(photos), seed, signal, optim__clip=1.0 + seed)
    return root


@pytest.fixture
def runs(originals, tmp_path):
    return shutil.copytree(originals, tmp_path / "runs")


def ensemble(*arguments):
    return launch.main(["ensemble", *map(str, arguments)])


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def shares(path):
    names = [f"probability_{name}" for name in CLASSES]
    return {r["file"]: np.array([r[name] for name in names], float) for r in rows_of(path)}


def test_probabilities_of_another_order_of_classes_are_refused(runs, tmp_path, capsys):
    path = runs / "b" / "predictions.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    path.write_text("".join(",".join([*row[:3], row[4], row[3], row[5]]) + "\n" for row in rows))
    assert ensemble(runs / "a", runs / "b", f"--workdir={tmp_path}/out") == 1
    said = capsys.readouterr().err
    assert f"{path}: the columns are of another order of classes" in said
    assert not (tmp_path / "out").exists()


def made(out):
    return load_config(str(out / "config.json")).made


def test_the_mean_is_the_mean(runs, tmp_path):
    out = tmp_path / "mean"
    given = [runs / name for name in "abc"]
    assert ensemble(*given, "--weights=mean", "--split=test", f"--workdir={out}") == 0
    for part in ("", "test"):
        own = [shares(run / part / "predictions.csv") for run in given]
        found = shares(out / part / "predictions.csv")
        assert found.keys() == own[0].keys()
        for file, p in found.items():
            assert np.allclose(p, np.mean([one[file] for one in own], axis=0), atol=1e-6)
        rows = rows_of(out / part / "predictions.csv")
        numbers = json.loads((out / part / "metrics.json").read_text())
        right = accuracy_score([r["label"] for r in rows], [r["predicted"] for r in rows])
        assert numbers["accuracy"] == pytest.approx(right)
        assert numbers["epoch"] == [3, 4, 5]


def test_numbers_are_weights_of_any_scale(runs, tmp_path):
    for name, weights in (("one", "0.6,0.4"), ("two", "3,2")):
        given = (runs / "a", runs / "b", f"--weights={weights}", f"--workdir={tmp_path / name}")
        assert ensemble(*given) == 0
        assert made(tmp_path / name).weights == pytest.approx((0.6, 0.4))
    a, b = (shares(runs / name / "predictions.csv") for name in "ab")
    for file, p in shares(tmp_path / "one" / "predictions.csv").items():
        assert np.allclose(p, 0.6 * a[file] + 0.4 * b[file], atol=1e-6)


def test_fitted_weights_are_of_validation_and_kept_for_test(runs, tmp_path, capsys):
    """A run that guesses counts for nothing; other test predictions change no weight."""
    out, again = tmp_path / "fitted", tmp_path / "again"
    assert ensemble(*(runs / name for name in "abc"), "--split=test", f"--workdir={out}") == 0
    weights = made(out).weights
    assert sum(weights) == pytest.approx(1)
    assert weights[2] < 0.05 < min(weights[:2])
    shown = capsys.readouterr().out
    assert re.search(r"fitted \(taken\) +36 ", shown)
    losses = [float(x) for x in re.findall(r"^ *(?:\d|mean|fitted).* (\d\.\d{3}) *$", shown, re.M)]
    assert losses[4] == min(losses[:5])  # of each run, their mean and the fitted on validation
    shutil.copy(runs / "c/test/predictions.csv", runs / "a/test/predictions.csv")
    given = [runs / name for name in "abc"]
    assert ensemble(*given, "--split=test", f"--workdir={again}") == 0
    assert made(again).weights == weights


def test_a_run_with_its_copy_is_itself_and_order_does_not_matter(runs, tmp_path):
    shutil.copytree(runs / "a", runs / "copy")
    assert ensemble(runs / "a", runs / "copy", f"--workdir={tmp_path / 'same'}") == 0
    same = (tmp_path / "same" / "predictions.csv").read_bytes()
    assert same == (runs / "a" / "predictions.csv").read_bytes()
    for name, order in (("abc", "abc"), ("cba", "cba")):
        assert ensemble(*(runs / one for one in order), f"--workdir={tmp_path / name}") == 0
    assert made(tmp_path / "abc").weights == pytest.approx(
        made(tmp_path / "cba").weights[::-1], abs=1e-3
    )
    one, other = (shares(tmp_path / name / "predictions.csv") for name in ("abc", "cba"))
    assert all(np.allclose(p, other[file], atol=1e-3) for file, p in one.items())


def test_each_look_at_test_photographs_is_a_line_everywhere(runs, tmp_path, capsys):
    out = tmp_path / "out"
    assert ensemble(runs / "a", runs / "b", f"--workdir={out}") == 0
    assert not (out / "looks.csv").exists()
    assert not (out / "test").exists()
    for times in (1, 2):
        assert ensemble(runs / "a", runs / "b", "--split=test", f"--workdir={out}") == 0
        for folder in (out, runs / "a", runs / "b"):
            looks = read_access(folder / "looks.csv")
            assert [(look.command, look.split, look.photographs) for look in looks] == [
                ("ensemble", "test", 36)
            ] * times
    assert not (runs / "c" / "looks.csv").exists()
    numbers = json.loads((out / "test" / "metrics.json").read_text())
    assert looks[-1].accuracy == numbers["accuracy"]
    assert "test split opened 2 times" in capsys.readouterr().out


@pytest.mark.parametrize("split", ["validation", "test"])
def test_compare_takes_an_ensemble_as_a_run(runs, tmp_path, split):
    out = tmp_path / "out"
    assert ensemble(runs / "a", runs / "b", "--split=test", f"--workdir={out}") == 0
    where = {"out": tmp_path / "compared", "thumbnails": False}
    found = compare_runs([str(runs / "a"), str(out)], split, **where)
    assert found.names[0] == "as trained"
    assert found.names[1].startswith("made.by=ensemble, made.runs=../runs/a,../runs/b, ")
    place = out / ("test" if split == "test" else "")
    expected = json.loads((place / "metrics.json").read_text())["accuracy"]
    assert found.summaries[1].mean("accuracy") == pytest.approx(expected)


def test_an_ensemble_of_ensembles(runs, tmp_path):
    for name in ("one", "two"):
        weights = "--weights=1,3" if name == "one" else "--weights=3,1"
        assert ensemble(runs / "a", runs / "b", weights, f"--workdir={tmp_path / name}") == 0
    both = (tmp_path / "one", tmp_path / "two", "--weights=mean", f"--workdir={tmp_path / 'both'}")
    assert ensemble(*both) == 0
    a, b = (shares(runs / name / "predictions.csv") for name in "ab")
    for file, p in shares(tmp_path / "both" / "predictions.csv").items():
        assert np.allclose(p, (a[file] + b[file]) / 2, atol=1e-6)


def test_what_cannot_be_put_together_is_refused(runs, tmp_path, capsys):
    out = f"--workdir={tmp_path / 'out'}"
    a, b = runs / "a", runs / "b"
    write_run(runs / "other", photos := photographs(1), by_person(photos), 9)
    refused = {
        "needs two runs or more, or one folder of folds": (a, out),
        "needs different runs, not": (a, a, out),
        "--weights is '1,2,3'; it can be fitted, mean or 2 non-negative numbers": (
            a,
            b,
            "--weights=1,2,3",
            out,
        ),
        "--weights is '-1,2'": (a, b, "--weights=-1,2", out),
        "--weights is '0,0'": (a, b, "--weights=0,0", out),
        "--weights is 'means'": (a, b, "--weights=means", out),
        "--by is 'eye'; it can be photograph or subject": (a, b, "--by=eye", out),
        "--split is 'train'; it can be validation or test": (a, b, "--split=train", out),
        "18 photographs missing": (a, runs / "other", out),
        "is neither empty nor what this command has made": (a, b, f"--workdir={a}"),
    }
    for message, arguments in refused.items():
        assert ensemble(*arguments) == 1, message
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    assert ensemble(a, b, "--weights=mean", out) == 0
    assert ensemble(a, b, "--weights=1,2", out) == 1
    assert "config.made.weights: (0.5, 0.5) → (0.333" in capsys.readouterr().err


def test_an_ensemble_is_not_trained(runs, tmp_path, capsys):
    out = tmp_path / "out"
    assert ensemble(runs / "a", runs / "b", f"--workdir={out}") == 0
    capsys.readouterr()
    assert launch.main([f"--config={out}/config.json", f"--workdir={tmp_path / 'new'}"]) == 1
    said = capsys.readouterr().err
    assert "a result that ensemble derived from finished runs (../runs/a, " in said
    assert launch.main([f"--config={runs}/a/config.json", f"--workdir={out}"]) == 1
    assert "config.made.by: 'ensemble' → None" in capsys.readouterr().err
    assert launch.main(["report", f"--workdir={out}"]) == 1
    assert "is what ensemble made of finished runs" in capsys.readouterr().err


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """TOP of people 0 to 44 and SIDE of 9 to 53, divided alike."""
    root = tmp_path_factory.mktemp("views")
    top_photos, side = photographs(2, range(45)), photographs(3, range(9, 54), "side")
    write_run(root / "top", top_photos, by_person(top_photos), 0, 0.4)
    write_run(root / "side", side, by_person(side), 1, 0.2, data__view="side")
    return root


def test_views_of_a_subject(views, tmp_path, capsys):
    """Means over photographs, 0.6 and 0.4 of the views, and where one lacks the other alone."""
    runs, out = shutil.copytree(views, tmp_path / "runs"), tmp_path / "fused"
    given = [runs / "top", runs / "side", "--by=subject", "--split=test", f"--workdir={out}"]
    assert ensemble(*given, "--weights=0.6,0.4") == 0
    for part, name in (("", "validation"), ("test", "test")):
        means = []
        for run in given[:2]:
            own = {}
            for file, p in shares(run / part / "predictions.csv").items():
                own.setdefault(file.split("/")[1][:3], []).append(p)
            means.append({subject: np.mean(ps, axis=0) for subject, ps in own.items()})
        tops, sides = means
        found = shares(out / part / "predictions.csv")
        assert found.keys() == tops.keys() | sides.keys()
        assert tops.keys() - sides.keys()
        assert sides.keys() - tops.keys()
        for subject, p in found.items():
            both = [one[subject] for one in means if subject in one]
            expected = 0.6 * both[0] + 0.4 * both[1] if len(both) == 2 else both[0]
            assert np.allclose(p, expected, atol=1e-6)
        listed = [row for row in rows_of(out / "split.csv") if row["split"] == name]
        assert {row["file"] for row in listed} == found.keys()
        assert all(row["file"] == row["subject"] for row in listed)
    shown = capsys.readouterr().out
    assert "6 of 18 subjects lack a view" in shown
    assert re.search(r"^ *0\.6,0\.4 \(taken\) +18 ", shown, re.MULTILINE)
    assert re.search(r"^ *fitted +18 ", shown, re.MULTILINE)


def test_one_view_by_subject_and_both_are_compared(views, tmp_path):
    runs = shutil.copytree(views, tmp_path / "runs")
    alone, both = tmp_path / "alone", tmp_path / "both"
    shutil.copytree(runs / "top", runs / "same")
    assert ensemble(runs / "top", "--by=subject", f"--workdir={alone}") == 0
    twice = (runs / "top", runs / "same", "--by=subject", f"--workdir={both}")
    assert ensemble(*twice) == 0
    assert shares(alone / "predictions.csv").keys() == shares(both / "predictions.csv").keys()
    assert made(alone).weights == (1.0,)
    where = {"out": tmp_path / "compared", "thumbnails": True}
    found = compare_runs([str(alone), str(both)], "validation", **where)
    assert found.pairs[0].differences["accuracy"] == (0.0, None)


def test_views_that_do_not_go_together_are_refused(views, tmp_path, capsys):
    runs = shutil.copytree(views, tmp_path / "runs")
    given = (runs / "top", runs / "side", "--by=subject", f"--workdir={tmp_path / 'out'}")

    def edit(name, old, new):
        path = runs / "side" / name
        path.write_text(re.sub(old, new, (views / "side" / name).read_text(), flags=re.MULTILINE))

    # Person 12 is in validation; their stage is 0.
    edit("split.csv", r"^(.*p12,.*),validation$", r"\1,train")
    edit("predictions.csv", r"^level_0/p12_.*\n", "")
    assert ensemble(*given) == 1
    assert "the runs split 1 subject differently (p12), " in capsys.readouterr().err
    edit("predictions.csv", "^$", "")
    edit("split.csv", ",p12,", ",,")
    assert ensemble(*given) == 1
    assert "the subject of 3 photographs is not known (level_0/p12_0.png" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("higher", "label"), [((0,), "level_0"), ((0, 1), "level_0"), ((0, 1, 2), "level_1")]
)
def test_a_subject_graded_otherwise_has_the_median_of_its_labels(
    views, tmp_path, capsys, higher, label
):
    """Person 12 has three photographs of either view, of stage 0; some are now said to be of 1."""
    runs, out = shutil.copytree(views, tmp_path / "runs"), tmp_path / "out"
    for take in higher:
        for name in ("split.csv", "predictions.csv"):
            path = runs / "side" / name
            path.write_text(
                path.read_text().replace(f"p12_{take}.png,level_0", f"p12_{take}.png,level_1")
            )
    given = (runs / "top", runs / "side", "--by=subject", f"--workdir={out}")
    assert ensemble(*given) == 0
    assert "the photographs of 1 subject have different labels" in capsys.readouterr().out
    for name in ("split.csv", "predictions.csv"):
        (row,) = (row for row in rows_of(out / name) if row["file"] == "p12")
        assert row["label"] == label


def test_views_without_a_common_subject_have_no_fitted_weights(tmp_path, capsys):
    for name, people in (("top", range(27)), ("side", range(27, 54))):
        photos = photographs(1, people, name)
        write_run(tmp_path / name, photos, by_person(photos), 0)
    given = (tmp_path / "top", tmp_path / "side", "--by=subject", f"--workdir={tmp_path / 'out'}")
    assert ensemble(*given) == 1
    assert "weights cannot be fitted: no subject of the validation" in capsys.readouterr().err
    assert ensemble(*given, "--weights=0.6,0.4") == 0


@pytest.fixture(scope="module")
def divisions(tmp_path_factory):
    """Two configurations, three folds of each."""
    root = tmp_path_factory.mktemp("divisions")
    photos = photographs(1)
    for seed, name in enumerate(("one", "two")):
        for fold in range(3):
            split = make_folds(photos, 3, fold, 0)
            keys = {"data__folds": 3, "data__fold": fold, "optim__clip": 1.0 + seed}
            write_run(root / name / f"fold_{fold}", photos, split, 10 * seed + fold, 0.4, **keys)
    return root


def test_folds_are_put_together_fold_by_fold(divisions, tmp_path, capsys):
    root, out = shutil.copytree(divisions, tmp_path / "cv"), tmp_path / "both"
    assert ensemble(root / "one", root / "two", "--split=test", f"--workdir={out}") == 0
    weights = [made(out / f"fold_{fold}").weights for fold in range(3)]
    assert len(set(weights)) == 3  # each fitted on its own validation photographs
    found = shares(out / "fold_1" / "test" / "predictions.csv")
    own = [shares(root / name / "fold_1/test/predictions.csv") for name in ("one", "two")]
    for file, p in found.items():
        expected = sum(w * one[file] for w, one in zip(weights[1], own, strict=True))
        assert np.allclose(p, expected, atol=1e-6)
    assert len(rows_of(out / "predictions.csv")) == 54
    assert json.loads((out / "metrics.json").read_text())["pooled"]["accuracy"] > 0
    where = {"out": tmp_path / "compared", "thumbnails": False}
    found = compare_runs([str(root / "one"), str(out)], "test", **where)
    assert len(found.files) == 54
    assert ensemble(root / "one", root / "two" / "fold_0", f"--workdir={tmp_path / 'x'}") == 1
    assert "folders of folds and runs cannot be mixed" in capsys.readouterr().err


def test_the_models_of_all_folds_are_for_new_photographs(divisions, tmp_path, capsys):
    root, out = shutil.copytree(divisions, tmp_path / "cv"), tmp_path / "all"
    for flag in ("--weights=fitted", "--split=test"):
        assert ensemble(root / "one", flag, f"--workdir={out}") == 1
        assert "has trained some of its models" in capsys.readouterr().err
    assert ensemble(root / "one", f"--workdir={out}") == 0
    assert made(out).runs == tuple(f"../cv/one/fold_{fold}" for fold in range(3))
    # So that no temperature can be fitted, which predict says.
    with pytest.raises(UserError, match="has no validation photographs"):
        read_run(out, "validation")
    assert made(out).weights == pytest.approx([1 / 3] * 3)
    assert {row["split"] for row in rows_of(out / "split.csv")} == {"train"}
    assert not (out / "predictions.csv").exists()


@pytest.mark.parametrize("verb", ["ensemble", "soup"])
def test_a_run_whose_weights_knew_what_it_is_judged_on_is_refused(verb, runs, tmp_path, capsys):
    """Two validation photographs trained what b began with; by their subjects, others of them."""
    held = [one for one in rows_of(runs / "b" / "split.csv") if one["split"] == "validation"]
    rows = [one | {"split": "train", "subject": ""} for one in held[:2]]
    before = write_folder(tmp_path / "before", rows)
    write_ancestry(RunFolder(runs / "b"), run_ancestry(before))
    out = tmp_path / "out"
    command = [verb, str(runs / "a"), str(runs / "b"), f"--workdir={out}"]
    assert launch.main(command) == 1
    said = capsys.readouterr().err
    assert f"2 of the {len(held)} validation photographs have trained these weights" in said
    assert f"(training of before: {held[0]['file']} (validation), " in said
    assert f"leave out {runs / 'b'}, or retrain it" in said
    assert not out.exists()
    given = [str(runs / "a"), str(runs / "b")]
    notes = compare_runs(given, "validation", out=tmp_path / "compared", thumbnails=False).notes
    [note] = [one for one in notes if "have trained these weights" in one]
    assert note.startswith(f"{runs / 'b'} is biased: 2 of the {len(held)} validation")
    if verb == "ensemble":
        config = json.loads((runs / "b" / "config.json").read_text())
        config["data"]["on_leak"] = "allow"
        (runs / "b" / "config.json").write_text(json.dumps(config))
        assert launch.main(command) == 0
        assert "continues: config.data.on_leak=allow" in capsys.readouterr().out


def test_views_of_subjects_whose_weights_knew_them_are_refused(tmp_path, capsys):
    """TOP and SIDE divided alike; what SIDE began with trained on a subject that tests."""
    for seed, (view, takes) in enumerate((("top", 2), ("side", 1))):
        photos = photographs(takes, view=view)
        write_run(tmp_path / view, photos, by_person(photos), seed)
    [tested, *_] = [r for r in rows_of(tmp_path / "side/split.csv") if r["split"] == "test"]
    rows = [tested | {"split": "train", "sha256": "0" * 64}]
    # Drawn with the seed that TOP and SIDE were drawn with, so that its people are theirs.
    before = write_folder(tmp_path / "before", rows, data__source="synthetic")
    write_ancestry(RunFolder(tmp_path / "side"), run_ancestry(before))
    given = (tmp_path / "top", tmp_path / "side", "--by=subject", f"--workdir={tmp_path / 'out'}")
    assert ensemble(*given) == 1
    assert "test photographs show subjects with other" in capsys.readouterr().err
