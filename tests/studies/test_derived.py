"""What is made of real, small runs: soups, ensembles that predict, probes."""

import csv
import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import hairjax
import launch
from hairjax.builders.data_set import load_data
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.evaluation.probes import SelectedClassifier
from hairjax.runs.access import read_access
from hairjax.runs.ancestry import read_ancestry, run_ancestry, write_ancestry
from hairjax.runs.folder import RunFolder
from hairjax.runs.photographs import read_run_photographs
from hairjax.runs.temperature import run_temperature
from hairjax.studies.soup import greedy_soup, mean_params
from hairjax.system.errors import UserError
from hairjax.weights.checkpoint import Checkpoints
from tests import finished
from tests.runs.written_runs import write_folder

pytestmark = pytest.mark.usefixtures("blank_figures", "tiny_swin")


def command(*arguments):
    return launch.main([*map(str, arguments)])


@pytest.fixture(scope="module")
def root(finished_run, tmp_path_factory):
    """Run a; run b, whose parameters are near; the soup and the ensemble of both."""
    root = finished.copy(finished_run, tmp_path_factory.mktemp("made"))
    (root / "run").rename(root / "a")
    write_neighbour(root / "a", root / "b")
    given = (root / "a", root / "b")
    assert command("soup", *given, f"--workdir={root / 'soup'}") == 0
    assert command("ensemble", *given, "--weights=1,3", f"--workdir={root / 'both'}") == 0
    return root


def write_neighbour(run, other):
    """Another run as it would be left, without training it."""
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("checkpoints"))
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace('"clip": 1.0', '"clip": 2.0'))
    params, best = (loaded := hairjax.load_run(run)).params, loaded.best
    generator = np.random.default_rng(0)
    params = jax.tree.map(
        lambda x: np.asarray(x + generator.normal(0, 0.02, x.shape), np.float32), params
    )
    checkpoints = Checkpoints(other / "checkpoints")
    checkpoints.save(best["step"], params, {"step": np.int32(0)}, best)
    checkpoints.close()
    flags = ("evaluate", f"--workdir={other}", f"--out={other}-judged")
    assert command(*flags) == 0
    for name in ("predictions.csv", "metrics.json"):
        shutil.move(f"{other}-judged/{name}", other / name)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def shares(path):
    names = [f"probability_level_{i}" for i in range(4)]
    return {row["file"]: [row[name] for name in names] for row in rows_of(path)}


def test_the_mean_of_parameters_is_numpys():
    generator = np.random.default_rng(0)
    trees = [
        {"a": generator.normal(size=(3, 2)).astype(np.float32), "b": {0: np.float32([i, 2 * i])}}
        for i in range(3)
    ]
    found = mean_params(trees)
    assert np.allclose(found["a"], np.mean([tree["a"] for tree in trees], axis=0), atol=1e-7)
    assert found["a"].dtype == np.float32
    assert found["b"][0].tolist() == [1, 2]
    assert np.array_equal(mean_params(trees[:1])["a"], trees[0]["a"])


def test_a_greedy_soup_keeps_what_does_no_harm():
    """Numbers whose mean is to be near 3: 3.4 begins, 2.5 helps, -3 and 10 do not."""
    members = [{"w": np.float32(value)} for value in (10, 2.5, -3, 3.4)]

    def score(params):
        distance = abs(float(params["w"]) - 3)
        return -distance, distance

    params, tried = greedy_soup(members, score)
    assert [(one.run, one.included) for one in tried] == [
        (3, True),
        (1, True),
        (2, False),
        (0, False),
    ]
    assert params["w"] == np.float32(2.95)
    assert tried[1].value == pytest.approx(-0.05, abs=1e-6)


def test_a_tie_begins_with_the_lower_loss_and_an_equal_soup_is_kept():
    members = [{"w": np.float32(value)} for value in (1, 2, 3)]
    params, tried = greedy_soup(members, lambda params: (0.5, abs(float(params["w"]) - 2)))
    assert [one.run for one in tried] == [1, 0, 2]
    assert all(one.included for one in tried)
    assert params["w"] == 2


def test_a_soups_parameters_are_the_mean_of_those_kept(root):
    soup = hairjax.load_run(root / "soup")
    kept = [row["run"] for row in rows_of(root / "soup" / "soup.csv") if row["kept"] == "True"]
    members = [jax.device_get(hairjax.load_run(run).params) for run in kept]
    jax.tree.map(
        lambda one, *others: np.testing.assert_allclose(one, np.mean(others, axis=0), atol=1e-7),
        jax.device_get(soup.params),
        *members,
    )
    assert soup.config.made.runs == tuple(f"../{run.rsplit('/', 1)[1]}" for run in sorted(kept))
    alone = [json.loads((root / name / "metrics.json").read_text())["accuracy"] for name in "ab"]
    assert json.loads((root / "soup" / "metrics.json").read_text())["accuracy"] >= max(alone)


@pytest.mark.slow
def test_a_soup_is_explained_as_the_one_model_it_is(root, capsys):
    """Judged as when it was made; the ensemble, which has no model of its own, is refused."""
    assert command("explain", f"--workdir={root / 'soup'}", "--count=2") == 0
    place = root / "soup" / "explain" / "validation"
    said, judged = (rows_of(p) for p in (place / "explain.csv", root / "soup" / "predictions.csv"))
    for column in ("file", "label", "predicted"):
        assert [row[column] for row in said] == [row[column] for row in judged]
    epochs = json.loads((root / "soup" / "metrics.json").read_text())["epoch"]
    assert json.loads((place / "explanation.json").read_text())["epoch"] == epochs
    assert command("explain", f"--workdir={root / 'both'}") == 1
    assert "was made from finished runs by ensemble: explain one" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["soup", "both"])
def test_evaluate_judges_what_was_made_like_a_run(root, name, tmp_path):
    """To the bytes of what was written when it was made."""
    assert command("evaluate", f"--workdir={root / name}", f"--out={tmp_path}") == 0
    written = (root / name / "predictions.csv").read_bytes()
    assert (tmp_path / "predictions.csv").read_bytes() == written


def test_an_ensembles_test_is_the_mean_of_the_runs(root):
    for times, name in enumerate(("a", "b", "both")):
        assert command("evaluate", f"--workdir={root / name}", "--split=test") == 0
        assert len(read_access(root / "b" / "looks.csv")) == times
    a, b, both = (shares(root / name / "test" / "predictions.csv") for name in ("a", "b", "both"))
    assert a.keys() == b.keys() == both.keys()
    for file, p in both.items():
        expected = np.float32(a[file]) / 4 + np.float32(b[file]) * 3 / 4
        assert np.allclose(np.float32(p), expected, atol=1e-6)
    assert len(read_access(root / "both" / "looks.csv")) == 1


def test_new_photographs_are_predicted(root, tmp_path, capsys):
    setup = hairjax.load_run(root / "a").setup
    photos = load_data(setup.source, setup.prepare, None)
    for kind, pixels in (("photo", photos.images[0, ..., :3]), ("mask", photos.images[0, ..., 3])):
        Image.fromarray(pixels).save(tmp_path / f"{kind}.png")
    given = ([tmp_path / "photo.png"], [tmp_path / "mask.png"])
    a, b, both, soup = (
        hairjax.load_run(root / name).predict(*given).probabilities
        for name in ("a", "b", "both", "soup")
    )
    assert np.allclose(both, a / 4 + b * 3 / 4, atol=1e-6)
    assert soup.shape == (1, 4)
    assert soup.sum() == pytest.approx(1, abs=1e-5)
    out = tmp_path / "out.csv"
    flags = [f"--workdir={root / 'both'}", f"--masks={given[1][0]}", f"--out={out}"]
    assert command("predict", *flags, given[0][0]) == 0
    assert np.allclose(np.float32([*shares(out).values()]), both, atol=1e-6)
    assert "\ncalibrated probabilities: temperature" in capsys.readouterr().out
    value, how = run_temperature(hairjax.load_run(root / "soup"))
    assert value and how.startswith("fitted on the")


@pytest.mark.situation(
    "Results",
    "`--flips` of an ensemble or a soup",
    "every model judges each photograph and its mirror image, and all of it is averaged",
)
def test_an_ensemble_flips_for_all_its_models(root):
    a, b, both = (hairjax.load_run(root / name).with_flips() for name in ("a", "b", "both"))
    photos, _ = read_run_photographs(a.setup, a.folder, a.classes)
    some = photos.subset(np.arange(5))
    own = [run.predictor(run.params, some).probabilities for run in (a, b)]
    weights = both.config.made.weights
    found = both.predictor(both.params, some).probabilities
    np.testing.assert_allclose(found, np.average(own, 0, weights), atol=1e-6)
    plain = hairjax.load_run(root / "both")
    assert abs(plain.predictor(plain.params, some).probabilities - found).max() > 1e-6


def test_another_model_is_no_ingredient(root, tmp_path, capsys):
    other = shutil.copytree(root / "b", tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config["model"] |= {"hidden": [8], "head": "corn"}
    config["data"]["normalise"] = "half"
    (other / "config.json").write_text(json.dumps(config))
    out = f"--workdir={tmp_path / 'out'}"
    refused = {
        "config.model.hidden: () → (8,); config.model.head: 'softmax' → 'corn'; config.data."
        "normalise: ('imagenet',) → ('half',)": (root / "a", other, out),
        "was written by ensemble and has no parameters": (root / "a", root / "both", out),
        "soup needs two different runs or more": (root / "a", out),
    }
    for message, arguments in refused.items():
        assert command("soup", *arguments) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def probe(root):
    out = root / "probe"
    assert command("probe", root / "a", f"--workdir={out}") == 0
    return out


def embeddings(root):
    """Of all photographs of run a, by the model itself."""
    run = hairjax.load_run(root / "a")
    photos = load_data(run.setup.source, run.setup.prepare, run.classes)
    model = hairjax.create_model(
        run.config.model.name, in_channels=6, num_classes=4, image_size=32, weights=str(root / "a")
    )
    input_spec = InputSpecification(32, (6,), ("imagenet",))
    inputs = model_inputs(jax.numpy.asarray(photos.images), None, None, input_spec)
    split = {row["file"]: row["split"] for row in rows_of(root / "a" / "split.csv")}
    graphdef, state = nnx.split(model)
    found = jax.jit(lambda state, x: nnx.merge(graphdef, state).embed(x))(state, inputs)
    return photos, np.asarray(found), np.array([split[f] for f in photos.files])


def test_a_probe_is_scikit_learn_on_the_models_embedding(root, probe):
    photos, features, split = embeddings(root)
    train, held = split == "train", split == "validation"
    written = hairjax.runs.folder.RunFolder(probe / "logistic").read_config().made.parameters
    scaler = StandardScaler().fit(features[train])
    classifier = LogisticRegression(C=float(written.removeprefix("C=")), max_iter=10_000)
    with threadpool_limits(1, "blas"):
        classifier.fit(scaler.transform(features[train]), photos.labels[train])
    expected = classifier.predict_proba(scaler.transform(features[held]))
    found = shares(probe / "logistic" / "predictions.csv")
    assert [*found] == [photos.files[i] for i in np.flatnonzero(held)]
    assert np.allclose(np.float64([*found.values()]), expected, atol=5e-3)


def test_a_probe_writes_every_kind_and_takes_the_best_in_cross_validation(probe, capsys):
    table = rows_of(probe / "classifiers.csv")
    scores = [float(row["cross_validated_accuracy"]) for row in table]
    assert scores == sorted(scores, reverse=True)
    best = table[0]["classifier"]
    for name in ("predictions.csv", "metrics.json"):
        assert (probe / name).read_bytes() == (probe / best / name).read_bytes()
    for row in table:
        rows = rows_of(probe / row["classifier"] / "predictions.csv")
        right = accuracy_score([r["label"] for r in rows], [r["predicted"] for r in rows])
        assert float(row["accuracy"]) == pytest.approx(right)
        assert float(row["accuracy_low"]) <= right <= float(row["accuracy_high"])
    assert not (probe / "looks.csv").exists()
    assert not (probe / "test").exists()


def test_a_probe_compares_with_its_run(root, probe, tmp_path, capsys):
    flags = ("--thumbnails=false", f"--out={tmp_path / 'out'}")
    assert command("compare", root / "a", probe, *flags) == 0
    shown = capsys.readouterr().out
    assert "A: as trained (1 run; the reference)" in shown
    assert "B: made.by=probe, made.classifier=" in shown


@pytest.mark.slow
def test_a_probe_looks_at_test_photographs_when_told_to(root, probe):
    before = len(read_access(root / "a" / "looks.csv"))
    assert command("probe", root / "a", "--split=test", f"--workdir={probe}") == 0
    (look,) = read_access(probe / "looks.csv")
    numbers = json.loads((probe / "test" / "metrics.json").read_text())
    assert (look.command, look.accuracy) == ("probe", numbers["accuracy"])
    assert len(read_access(root / "a" / "looks.csv")) == before + 1
    tests = [r["file"] for r in rows_of(root / "a" / "split.csv") if r["split"] == "test"]
    assert [row["file"] for row in rows_of(probe / "test" / "predictions.csv")] == tests


def test_a_probe_has_no_model(probe):
    with pytest.raises(UserError, match="was written by probe and holds predictions, but no model"):
        hairjax.load_run(probe)


@pytest.mark.slow
def test_a_configuration_with_weights_is_probed_without_training(root, tmp_path, monkeypatch):
    """Run b's weights as pretrained ones: the features are run b's own."""
    seen = []

    def choose(name, features, labels, folds, best_by):
        seen.append((features, labels, folds))
        even = np.full((1, 4), 0.25, np.float32)
        return SelectedClassifier(
            name, {"C": 1.0}, 0.5, 0.1, lambda rows: np.repeat(even, len(rows), 0)
        )

    monkeypatch.setattr("hairjax.studies.probe.select_classifier", choose)
    weights = f"--config.weights.source={root / 'a'}"
    out = tmp_path / "out"
    assert command("probe", *finished.flags(root), weights, f"--workdir={out}") == 0
    photos, expected, _ = embeddings(root)
    split = {row["file"]: row["split"] for row in rows_of(out / "split.csv")}
    train = [i for i, file in enumerate(photos.files) if split[file] == "train"]
    features, labels, folds = seen[0]
    assert np.allclose(features, expected[train], atol=1e-4)
    assert labels.tolist() == photos.labels[train].tolist()
    subjects = np.array(photos.subjects)[train]
    for fit, held in folds:
        assert not {*subjects[fit]} & {*subjects[held]}
    assert sorted(np.concatenate([held for _, held in folds])) == [*range(len(train))]
    assert json.loads((out / "metrics.json").read_text())["epoch"] == 0


def test_what_cannot_be_probed_is_refused(root, tmp_path, capsys):
    out = f"--workdir={tmp_path / 'out'}"
    refused = {
        "probe needs one run, or --config, not nothing": (out,),
        "is an ensemble; its models have no common features": (root / "both", out),
        "--split is 'train'; it can be validation or test": (root / "a", "--split=train", out),
        "is neither empty nor what this command": (root / "a", f"--workdir={root / 'b'}"),
        "there is no run at": (tmp_path, out),
        "there is no run at config-a": ("config-a", out),  # a folder, although it begins so
    }
    for message, arguments in refused.items():
        assert command("probe", *arguments) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_what_is_made_of_runs_holds_photographs_to_their_levels_and_masks_to_their_names(root):
    assert RunFolder(root / "soup").read_levels() == RunFolder(root / "a").read_levels()
    for name in ("a", "soup", "both"):
        setup = hairjax.load_run(root / name).setup
        assert setup.prepare.mask_coding == "soft 255"
        assert setup.source.views[0].mask_rule.held_name == "{name}"


def test_a_soup_has_learnt_what_its_runs_have(root):
    """Kept in its folder, so that it is known where the runs are gone."""
    stored = read_ancestry(RunFolder(root / "soup"))
    trained = {r["sha256"] for r in rows_of(root / "a" / "split.csv") if r["split"] == "train"}
    kept = [row["run"] for row in rows_of(root / "soup" / "soup.csv") if row["kept"] == "True"]
    assert {one.run for one in stored.learnt} == {run.rsplit("/", 1)[1] for run in kept}
    assert {one.photographs for one in stored.learnt} == {frozenset(trained)}


def test_a_probe_of_weights_that_knew_what_it_is_judged_on_is_refused(root, tmp_path, capsys):
    """A run's, and weights of a run under another split."""
    run = shutil.copytree(root / "a", root / "knowing")
    held = [r for r in rows_of(run / "split.csv") if r["split"] == "validation"]
    before = write_folder(tmp_path / "before", [r | {"split": "train"} for r in held[:1]])
    write_ancestry(RunFolder(run), run_ancestry(before))
    out = f"--workdir={tmp_path / 'out'}"
    assert command("probe", run, out) == 1
    said = capsys.readouterr().err
    assert f"1 of the {len(held)} validation photographs have trained these weights" in said
    weights = f"--config.weights.source={root / 'a'}"
    assert command("probe", *finished.flags(root), weights, "--config.seed=1", out) == 1
    assert "the split leaks through the weights" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
