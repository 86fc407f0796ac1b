"""``launch.py compare`` on runs whose predictions are written by hand."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

import launch
from configs import top
from hairjax.builders.data_set import load_data
from hairjax.builders.setup import resolve
from hairjax.cli.places import default_comparison
from hairjax.config.load import to_plain
from hairjax.data.split import write_split
from hairjax.evaluation.metrics.classification import evaluate
from hairjax.evaluation.predictions import Predictions, write_predictions
from hairjax.runs.read_predictions import group_runs, read_run
from hairjax.system.outputs import RECORD, read_record
from tests.report.test_page import CHROMIUM, Page

CLASSES = ("level_0", "level_1", "level_2")
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three classes of 24 small photographs, of 24 people, eight in each split."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir()
        for person in range(24):
            pixels = generator.integers(0, 256, (24, 24, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"p{person:02}_1.png")
    return folder


def configuration(photos, seed=0, **changed):
    config = top.get_config("demo")
    config.seed = seed
    config.data.update(source="photos", photos=str(photos), subject="/([^_]+)_", cache="")
    config.model.in_channels = 3
    config.data.image_size = 32
    for key, value in changed.items():
        config.update_from_flattened_dict({key.replace("__", "."): value})
    return config


def write_run(folder, config, right, seed):
    """A run as `train` and `evaluate --split=test` leave it, right so often."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(to_plain(config)))
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    setup = resolve(config)
    data = load_data(setup.source, setup.prepare, CLASSES)
    people = np.array([int(subject[1:]) for subject in data.subjects])
    split = np.array(PARTS)[people % 3]
    write_split(folder / "split.csv", data, split)
    generator = np.random.default_rng(seed)
    (folder / "test").mkdir()
    for part, place in (("validation", folder), ("test", folder / "test")):
        chosen = data.subset(split == part)
        labels = chosen.labels
        guess = np.where(generator.random(len(labels)) < right, labels, (labels + 1) % len(CLASSES))
        p = generator.uniform(0.1, 0.4, (len(labels), 3)) + np.eye(3)[guess]
        p = (p / p.sum(1, keepdims=True)).astype(np.float32)
        predictions = Predictions(chosen.files, labels, p, chosen.subjects, CLASSES)
        write_predictions(predictions, place / "predictions.csv")
        (place / "metrics.json").write_text(json.dumps({"epoch": 3} | evaluate(labels, p)))
    return folder


@pytest.fixture(scope="module")
def runs(photos, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_run(root / "a", configuration(photos), 0.5, 1)
    for seed in (0, 1, 2):
        zero = configuration(photos, seed, weights__stem="zero", train__log_every=3 + seed)
        write_run(root / f"zero_{seed}", zero, 0.9, 2 + seed)
    write_run(root / "rgb|&_%", configuration(photos, weights__source="x|&_%<b>"), 0.4, 9)
    return root


def compare(*arguments):
    return launch.main(["compare", *map(str, arguments)])


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def correct(run, part):
    rows = rows_of(run / part / "predictions.csv")
    return {row["file"]: row["predicted"] == row["label"] for row in rows}


@pytest.mark.parametrize(("split", "part"), [("validation", ""), ("test", "test")])
def test_everything_is_written_and_says_what_the_predictions_say(runs, tmp_path, split, part):
    out = tmp_path / "out"
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    assert compare(runs / "a", runs / "zero_0", f"--split={split}", f"--out={out}") == 0
    assert sorted(read_record(out)) == [
        "comparison.html",
        "comparison.md",
        "comparison.tex",
        "differences.png",
        "flipped.csv",
    ]
    assert {path.name for path in out.iterdir()} == {RECORD, *read_record(out)}
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before
    one, two = correct(runs / "a", part), correct(runs / "zero_0", part)
    flipped = rows_of(out / "flipped.csv")
    for change, mine, theirs in (("worse", one, two), ("better", two, one)):
        expected = {file for file in mine if mine[file] and not theirs[file]}
        assert {row["file"] for row in flipped if row["change"] == change} == expected
    assert all(row["subject"] == row["file"].split("/")[1].split("_")[0] for row in flipped)

    page = Page((out / "comparison.html").read_text("utf-8"))
    name = "weights.stem=zero"
    values, differences, tests = [row for row in page.rows if row and row[0] == name][:3]
    accuracy = [sum(right.values()) / 24 for right in (one, two)]
    assert values[1].startswith(f"{accuracy[1]:.3f}")
    written = f"{accuracy[1] - accuracy[0]:+.3f}".replace("-", "−")
    assert differences[1].startswith(written)
    assert tests[1:3] == [
        str(sum(row["change"] == change for row in flipped)) for change in ("worse", "better")
    ]
    assert f"| {name} | {written} (" in (out / "comparison.md").read_text()
    assert f"same 24 {split} photographs of 8 subjects" in "".join(page.text)
    assert ("selected on these photographs" in "".join(page.text)) == (split == "validation")
    pictures = [v for t, n, v in page.attributes if (t, n) == ("img", "src")][1:]
    assert len(pictures) == len(flipped) > 0
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in pictures)
    assert "others without them, compare again with --thumbnails=false" in "".join(page.text)


def test_seeds_of_a_configuration_are_one(runs, tmp_path, capsys):
    zeros = [runs / f"zero_{seed}" for seed in (0, 1, 2)]
    assert compare(runs / "a", *zeros, runs / "rgb|&_%", f"--out={tmp_path}/out") == 0
    page = Page((tmp_path / "out" / "comparison.html").read_text("utf-8"))
    values = next(row for row in page.rows if row and row[0] == "weights.stem=zero3 runs")
    accuracy = [sum(correct(run, "").values()) / 24 for run in zeros]
    assert values[1].startswith(f"{np.mean(accuracy):.3f}± {np.std(accuracy, ddof=1):.3f}")
    shown = capsys.readouterr().out
    assert "A: weights.source=none, weights.stem=copy (1 run; the reference)" in shown
    assert "B: weights.stem=zero (3 runs)" in shown
    assert "C: weights.source=x|&_%<b> (1 run)" in shown
    latex = (tmp_path / "out" / "comparison.tex").read_text()
    assert r"weights.source=x\textbar{}\&\_\%\textless{}b\textgreater{}" in latex
    assert latex.count(r"$\pm$") == 5
    rows = [line for line in latex.splitlines() if line.endswith(r" \\")]
    # One more for the line of the differences' reference, which spans all columns.
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows].count(6) == len(rows) - 1
    text = (tmp_path / "out" / "comparison.md").read_text()
    html = Page(MarkdownIt("commonmark").enable("table").render(text))
    assert sum(row[0] == "weights.source=x|&_%<b>" for row in html.rows) == 3
    assert [len(row) for row in html.rows] == [6] * 4 + [6] * 3 + [7] * 3
    assert f"{runs}/rgb|&_% (seed 0)" in "".join(html.text)
    assert "<b>" not in (tmp_path / "out" / "comparison.html").read_text("utf-8")
    flipped = rows_of(tmp_path / "out" / "flipped.csv")
    assert {row["other_right"] for row in flipped if "zero" in row["compared"]} <= {
        "0.0",
        "0.3333333333333333",
        "0.6666666666666666",
        "1.0",
    }
    assert any(" × " in row["other"] for row in flipped)


def test_one_configuration_is_compared_seed_by_seed(runs, tmp_path, capsys):
    zeros = [runs / f"zero_{seed}" for seed in (0, 1)]
    assert compare(*zeros, "--thumbnails=false", f"--out={tmp_path}/out") == 0
    shown = capsys.readouterr().out
    assert "A: seed=0 (1 run; the reference)" in shown
    assert "differ in the seed only" in shown


@pytest.mark.parametrize(
    "key", ["weights.source", "weights.second", "data.masks", "data.second_masks"]
)
def test_other_weights_or_masks_are_another_configuration(runs, key):
    run = read_run(runs / "a", "validation")
    other = configuration("photos", seed=1, **{key.replace(".", "__"): "elsewhere"})
    groups = group_runs([run, replace(run, config=other), replace(run, config=other)])
    assert [len(group.runs) for group in groups] == [1, 2]
    assert groups[1].name == f"{key}=elsewhere"


def test_identical_predictions_differ_in_nothing(runs, tmp_path):
    shutil.copytree(runs / "a", tmp_path / "b")
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    config["optim"]["clip"] = 2.0
    (tmp_path / "b" / "config.json").write_text(json.dumps(config))
    assert compare(runs / "a", tmp_path / "b", f"--out={tmp_path}/out") == 0
    page = Page((tmp_path / "out" / "comparison.html").read_text("utf-8"))
    _, differences, tests = [row for row in page.rows if row and row[0] == "optim.clip=2.0"][:3]
    assert differences[1:] == ["0.000no interval"] * 5
    assert tests[1:] == ["0", "0", "1.000", "1.000", "1.000", "1.000"]
    assert rows_of(tmp_path / "out" / "flipped.csv") == []


def with_subjects(runs, folder, subject):
    """The runs a and zero_0 with other subjects: subject(name of the person) of each."""
    for name in ("a", "zero_0"):
        path = shutil.copytree(runs / name, folder / name) / "split.csv"
        person = re.compile(r",p(\d\d),")
        text = person.sub(lambda match: f",{subject(int(match[1]))},", path.read_text())
        path.write_text(text)
    return folder / "a", folder / "zero_0"


def test_photographs_of_one_subject_are_said_to_tell_nothing_of_others(runs, tmp_path, capsys):
    pair = with_subjects(runs, tmp_path, lambda person: PARTS[person % 3])
    assert compare(*pair, "--thumbnails=false", f"--out={tmp_path}/out") == 0
    assert "All photographs are of one subject" in capsys.readouterr().out
    page = Page((tmp_path / "out" / "comparison.html").read_text("utf-8"))
    assert "others without them" not in "".join(page.text)
    values, differences, _ = [row for row in page.rows if row and row[0] == "weights.stem=zero"][:3]
    assert all(cell.endswith("no interval") for cell in (*values[1:], *differences[1:]))
    assert "no interval" in (tmp_path / "out" / "comparison.md").read_text()
    assert "no interval" in (tmp_path / "out" / "comparison.tex").read_text()


def of_one_class(run, folder):
    """The run with every photograph of its splits in one class."""
    other = shutil.copytree(run, folder)
    for path, columns in (("split.csv", ("label",)), ("predictions.csv", ("label",))):
        rows = rows_of(other / path)
        for row in rows:
            row.update(dict.fromkeys(columns, CLASSES[0]))
        with (other / path).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return other


@pytest.mark.situation(
    "Results",
    "runs compared on photographs that are all of one class",
    "kappa and its difference are undefined on the page, in Markdown, LaTeX and on the terminal",
)
def test_kappa_of_one_class_is_undefined_in_every_table(runs, tmp_path, capsys):
    pair = [of_one_class(runs / name, tmp_path / name) for name in ("a", "zero_0")]
    assert compare(*pair, "--thumbnails=false", f"--out={tmp_path}/out") == 0
    said = capsys.readouterr().out
    assert "Kappa is undefined: all photographs are of one class" in said
    assert re.search(r"Quadratic kappa\s+–\s+no interval", said)
    page = Page((tmp_path / "out" / "comparison.html").read_text("utf-8"))
    values, differences, _ = [row for row in page.rows if row and row[0] == "weights.stem=zero"][:3]
    assert [row[2] for row in (values, differences)] == ["–no interval"] * 2
    assert all(row[1][0] != "–" for row in (values, differences))
    assert "Kappa is undefined" in "".join(page.text)
    markdown = (tmp_path / "out" / "comparison.md").read_text()
    assert markdown.count("| – (no interval) |") == 3
    latex = (tmp_path / "out" / "comparison.tex").read_text()
    assert latex.count("& -- &") == 3 and "Kappa is undefined" in latex
    assert "nan" not in markdown + latex


def test_subjects_known_in_part_are_said_to_be(runs, tmp_path, capsys):
    pair = with_subjects(runs, tmp_path, lambda person: f"p{person}" if person > 11 else "")
    assert compare(*pair, "--thumbnails=false", f"--out={tmp_path}/out") == 0
    assert "Unknown subjects (12 photographs): each" in capsys.readouterr().out


def test_without_subjects_each_photograph_is_its_own(runs, tmp_path, capsys):
    for name in ("a", "zero_0"):
        other = shutil.copytree(runs / name, tmp_path / name)
        path = other / "split.csv"
        path.write_text(re.sub(r",p\d\d,", ",,", path.read_text()))
        config = json.loads((other / "config.json").read_text())
        config["data"]["source"] = "synthetic"
        (other / "config.json").write_text(json.dumps(config))
    out = f"--out={tmp_path}/out"
    assert compare(tmp_path / "a", tmp_path / "zero_0", "--thumbnails=false", out) == 0
    page = Page((tmp_path / "out" / "comparison.html").read_text("utf-8"))
    tests = [row for row in page.rows if row and row[0] == "weights.stem=zero"][2]
    assert tests[3:5] == ["0.012", "0.012"] and float(tests[5]) < 0.05
    text = "".join(page.text)
    assert "Unknown subjects" in text
    assert "same 24 validation photographs." in text
    assert "jackknife over photographs" in text
    assert "Synthetic photographs, drawn by a program" in text
    assert "subjects are few" not in text


def test_photographs_are_left_out_when_asked_or_gone(runs, photos, tmp_path, monkeypatch, capsys):
    def shown(*arguments):
        assert compare(runs / "a", runs / "zero_0", f"--out={tmp_path}/out", *arguments) == 0
        page = Page((tmp_path / "out" / "comparison.html").read_text("utf-8"))
        images = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
        assert ".png" in "".join(page.text)
        return len(images), "".join(page.text)

    count, text = shown("--thumbnails=false")
    assert count == 1  # the figure
    assert "named only (--thumbnails=false)" in text
    away = photos.with_name("away")
    photos.rename(away)
    try:
        count, text = shown()
        assert count == 1
        assert "named only, as they cannot be read: " in text
        assert "cannot be read: " in capsys.readouterr().out
        shutil.copytree(away, photos)
        (photos / CLASSES[0] / "p00_1.png").unlink()
        count, text = shown()
        assert count == 1
        assert "1 missing" in text
    finally:
        shutil.rmtree(photos, ignore_errors=True)
        away.rename(photos)


def without_person(text):
    return "".join(line for line in text.splitlines(keepends=True) if "/p01_" not in line)


def other_class(text):
    row = re.search(r"level_0/p01_1.png,level_0,.*", text).group()
    return text.replace(row, row.replace(",level_0,", ",level_1,", 1))


REFUSED = {
    "classes": (
        {"classes.json": lambda text: text.replace("level_2", "bald")},
        ["probability_level_2, not file,label,predicted", "probability_bald"],
    ),
    "contents": (
        {"split.csv": lambda text: re.sub(r"(p01_1.png,level_\d,p01),[^,]*", r"\1,ab", text)},
        [
            "3 changed (level_0/p01_1.png, level_1/p01_1.png, level_2/p01_1.png)",
            "--config.data.split",
        ],
    ),
    "fewer": (
        {"split.csv": without_person, "predictions.csv": without_person},
        ["3 photographs missing (level_0/p01_1.png"],
    ),
    "labels": (
        {"predictions.csv": other_class},
        ["1 with another label (level_0/p01_1.png)"],
    ),
    "not of the split": (
        {"predictions.csv": without_person},
        ["is not of the 24 validation photographs", "python launch.py --config="],
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_photographs_are_refused(runs, tmp_path, capsys, kind):
    edits, messages = REFUSED[kind]
    other = shutil.copytree(runs / "zero_0", tmp_path / "b")
    for name, edit in edits.items():
        before = (other / name).read_text()
        (other / name).write_text(edit(before))
        assert (other / name).read_text() != before
    assert compare(runs / "a", other, f"--out={tmp_path}/out") == 1
    refusal = capsys.readouterr().err
    for message in messages:
        assert message in refusal
    assert not (tmp_path / "out").exists()


def test_other_classes_are_refused(runs, tmp_path, capsys):
    other = shutil.copytree(runs / "zero_0", tmp_path / "b")
    for name in ("classes.json", "predictions.csv", "split.csv"):
        path = other / name
        path.write_text(re.sub(r"level_2\b(?!/)", "bald", path.read_text()))
    assert compare(runs / "a", other, f"--out={tmp_path}/out") == 1
    assert "its classes are level_0, level_1, bald, not level_0" in capsys.readouterr().err


def test_missing_or_old_predictions_name_the_command(runs, tmp_path, capsys):
    other = shutil.copytree(runs / "zero_0", tmp_path / "b c")
    (other / "metrics.json").write_text('{"epoch": 7}')
    assert compare(runs / "a", other, "--split=test") == 1
    message = capsys.readouterr().err
    assert "is of epoch 3" in message
    assert "is now 7" in message
    shutil.rmtree(other / "test")
    assert compare(runs / "a", other, "--split=test") == 1
    command = f"python launch.py evaluate '--workdir={other}' --split=test"
    assert command in capsys.readouterr().err, "as it can be typed"
    (other / "predictions.csv").unlink()
    assert compare(runs / "a", other) == 1
    assert f"'--config={other}/config.json' '--workdir={other}'" in capsys.readouterr().err


def test_other_training_photographs_are_said(runs, tmp_path, capsys):
    other = shutil.copytree(runs / "zero_0", tmp_path / "b")
    path = other / "split.csv"
    path.write_text(re.sub(".*/p00_.*\n", "", path.read_text()))
    assert compare(runs / "a", other, "--thumbnails=false", f"--out={tmp_path}/out") == 0
    assert "on 21, of which 21 are among the 24 of the other" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "two different runs or more, not none"),
        (["{a}"], "two different runs or more"),
        (["{a}", "{a}/"], "two different runs or more"),
        (["{a}", "nowhere"], "there is no run at nowhere"),
        (["{a}", "{b}", "--split=train"], "--split is 'train'; it can be validation or test"),
        (["{a}", "{b}", "--thumbnails=no"], "--thumbnails is 'no'; it can be true or false"),
        (["{a}", "{b}", "--out={a}/new"], "is in a run, which is left as it is"),
        (["{a}", "{b}", "--splt=test"], "did you mean --split?"),
    ],
)
def test_mistakes_end_in_a_sentence(runs, capsys, arguments, message):
    given = [text.format(a=runs / "a", b=runs / "zero_0") for text in arguments]
    assert compare(*given) == 1
    assert message in capsys.readouterr().err
    assert not (runs / "a" / "new").exists()


def test_where_it_is_written_by_default(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert compare(runs / "a", runs / "zero_0", "--thumbnails=false") == 0
    assert (tmp_path / "runs" / "compare-a-zero_0" / "comparison.html").is_file()
    places = [tmp_path / name / "fold_0" for name in ("x", "y", "z", "w")]
    name = "compare-x-fold_0-y-fold_0-z-fold_0-and-1-more"
    assert default_comparison(places).name == name


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to open the page in")
def test_opens_in_chromium(runs, tmp_path):
    assert compare(runs / "a", runs / "zero_0", f"--out={tmp_path}/out") == 0
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += ["--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--enable-logging=stderr", "--blink-settings=preferredColorScheme=1"]
    command += ["--window-size=900,2600", f"--screenshot={tmp_path / 'page.png'}", "--dump-dom"]
    page = (tmp_path / "out" / "comparison.html").as_uri()
    done = subprocess.run([*command, page], capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr
    assert "2 configurations compared" in done.stdout
    with Image.open(tmp_path / "page.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    # The interval of a better accuracy in the figure, and the panel around it.
    for colour in ("0072b2", "f5f7f9"):
        distance = abs(pixels - np.array(list(bytes.fromhex(colour)))).max(1)
        assert (distance <= 6).sum() > 100, colour
