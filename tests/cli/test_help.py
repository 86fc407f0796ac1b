"""What the help says is so."""

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest

import launch
from configs import top
from hairjax.cli.flags import help_text, parse
from hairjax.cli.verbs import VERBS
from hairjax.commands.predict import Unlabelled
from hairjax.config.load import to_plain
from tests.cli.commands import ROOT

# Flags of photographs that are not the run's own.
MASK_FLAGS = ("mask_value", "mask_name", "mask_category")
OF_OTHERS = ("--masks", "--manifest", "--subject", "--spelling", "--mask_")
OF_MANIFESTS = ("--columns", "--prefix")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["-h", "--config=x"]])
def test_overview(arguments, capsys):
    assert launch.main(arguments) == 0
    text = capsys.readouterr().out
    assert re.findall(r"^  ([a-z]+) +[A-Z]", text, re.MULTILINE) == list(VERBS)
    lines = text.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--help"],
        ["evaluate", "-h"],
        ["evaluate", "help"],
        ["help", "evaluate"],
        ["--help", "evaluate"],
        ["evaluate", "--workdir=nothere", "--help"],
    ],
)
def test_help_of_a_verb(arguments, capsys):
    assert launch.main(arguments) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python launch.py evaluate --workdir=WORKDIR [")
    assert set(re.findall(r"^  (--[a-z_]+)", text, re.MULTILINE)) == {
        f"--{flag.name}" for flag in VERBS["evaluate"].flags
    }
    assert "probe" not in text


def test_flags_without_a_verb_are_trains(capsys):
    assert launch.main(["--config=nothere.py", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: python launch.py --config=CONFIG [")


def test_help_of_no_verb(capsys):
    assert launch.main(["help", "evalute"]) == 1
    assert "no verb 'evalute'; did you mean evaluate?" in capsys.readouterr().err


# What a verb is given beside each flag of its help.
BESIDE = {
    "train": "--config=configs/top.py:demo",
    "check": "--photos=PHOTOS",
    "show": "--config=configs/top.py:demo",
    "rates": "--config=configs/top.py:demo",
    "evaluate": "--workdir=runs/top",
    "report": "--workdir=runs/top",
    "folds": "--config=configs/top.py:demo --config.data.folds=5",
    "predict": "--workdir=runs/top photo.jpg",
    "compare": "runs/top runs/rgb",
    "ensemble": "runs/top runs/rgb",
    "soup": "runs/top runs/rgb",
    "probe": "runs/top",
    "explain": "--workdir=runs/top",
    "convert": "--weights=SOURCE --model=NAME --out=FILE.safetensors",
}


def commands_of_the_help():
    """Every example, and every flag with the value that the help shows."""
    for verb, one in VERBS.items():
        text = help_text(verb)
        yield from re.findall(r"^  python launch.py (.*)$", text, re.MULTILINE)
        for name, value in re.findall(r"^  --([a-z_]+)(?: (\S+))?", text, re.MULTILINE):
            flag = f"--{name}={value}" if value else f"--{name}"
            beside = BESIDE[verb]
            if verb in ("evaluate", "explain") and flag.startswith((*OF_OTHERS, *OF_MANIFESTS)):
                beside += " --photos=PHOTOS"
            beside += " --manifest=labels.csv" * flag.startswith(OF_MANIFESTS)
            beside += " --masks=MASKS" * flag.startswith("--mask_")
            if verb == "probe" and name == "config":
                beside = ""
            yield f"{verb} {beside} {shlex.quote(flag)}"
        assert len(re.findall("^  --", text, re.MULTILINE)) == len(one.flags)


def test_help_is_right(folders, trained, monkeypatch, capsys):
    """Its examples are understood, and every flag of every verb with the value it shows."""
    evaluated, converted, shown, predicted, compared, checked, divided = ([] for _ in range(7))
    reported, mixed, cooked, probed, swept, explained, told = ([] for _ in range(7))
    monkeypatch.setattr(
        "hairjax.studies.ensemble.ensemble_runs",
        lambda *given, **named: mixed.append((given, named)),
    )
    monkeypatch.setattr(
        "hairjax.studies.soup.make_soup", lambda *given, **named: cooked.append(named)
    )
    monkeypatch.setattr(
        "hairjax.studies.probe.probe_run", lambda run, **named: probed.append(named)
    )
    monkeypatch.setattr(
        "hairjax.studies.probe.probe_configuration", lambda config, **named: probed.append(named)
    )
    monkeypatch.setattr(
        "hairjax.commands.explain.explain_run",
        lambda run, asked, **given: explained.append({"run": run, **asdict(asked), **given}),
    )
    monkeypatch.setattr(
        "hairjax.report.run_report.report_run", lambda folder: reported.append(folder)
    )
    monkeypatch.setattr(
        "hairjax.studies.folds.cross_validate", lambda *given: divided.append(given[:2])
    )
    monkeypatch.setattr(
        "hairjax.commands.check.check_photographs", lambda *given: checked.append(given[:2])
    )
    monkeypatch.setattr("hairjax.commands.show.show_data", lambda *given: shown.append(given[:2]))
    monkeypatch.setattr(
        "hairjax.training.rate_range.run_rate_range_test", lambda *given: swept.append(given[:2])
    )
    monkeypatch.setattr(
        "hairjax.commands.convert.convert_weights", lambda *given: converted.append(given) or {}
    )
    monkeypatch.setattr(
        "hairjax.commands.evaluate.evaluate_run",
        lambda run, asked, out, **given: evaluated.append(
            {"run": run, **asdict(asked), "out": out, **given}
        ),
    )
    monkeypatch.setattr(
        "hairjax.commands.predict.predict_files",
        lambda *given, **named: predicted.append((given, named)),
    )
    monkeypatch.setattr(
        "hairjax.studies.compare.compare_runs",
        lambda *given, **named: compared.append((given, named)),
    )
    monkeypatch.setattr(
        "hairjax.runs.moved.move_runs", lambda runs, moved: told.append(moved) or {}
    )
    for name in ("photos", "masks"):
        (Path.cwd() / name.upper()).symlink_to(folders / name)
    (Path.cwd() / "configs").symlink_to(ROOT / "configs")
    Path("labels.csv").touch()
    Path("runs/top").mkdir(parents=True)
    Path("split.csv").touch()
    for run in ("top", "top-demo", "top-demo-folds/fold_0"):
        Path(f"runs/{run}").mkdir(parents=True, exist_ok=True)
        Path(f"runs/{run}/config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))

    for command in commands_of_the_help():
        assert launch.main(shlex.split(command)) == 0, (command, capsys.readouterr().err)
    assert len(trained) == 3 + len(VERBS["train"].flags)
    assert told.count("/old=/new") == 9
    assert len(checked) == 1 + len(VERBS["check"].flags)
    assert {str(out) for _, out in checked} == {"runs/check-PHOTOS", "checked"}
    given = [config.data for config, _ in checked]
    assert {data.split for data in given} == {"", "split.csv"}
    assert {data.subject for data in given} == {"", "/([a-z]+)_"}
    assert {data.classes for data in given} == {"", "none,mild,severe"}
    assert {data.columns for data in given} == {"", "file=id,label=grade"}
    assert {data.prefix for data in given} == {"", "/data/old/photos/"}
    assert {data.spelling for data in given} == {"refuse", "merge"}
    assert [str(out) for _, out in shown] == [*["runs/top-demo-show"] * 2, "pictures"]
    assert [str(out) for _, out in swept] == [*["runs/top-demo-rates"] * 2, "rates"]
    assert [str(out) for _, out in divided] == [
        *["runs/top-demo-folds"] * 2,
        "runs/cv",
        "runs/top-demo-folds",
    ]
    assert {config.data.folds for config, _ in divided} == {5}
    assert len(converted) == 1 + len(VERBS["convert"].flags)
    assert [str(folder.path) for folder in reported] == ["runs/top"] * 3
    assert predicted[0] == (
        ("runs/top", Unlabelled(["new/", "other/anna.jpg"], "new_masks")),
        {
            "out": Path("predictions.csv"),
            "pictures": None,
            "flips": False,
        },
    )
    assert [named["flips"] for _, named in predicted].count(True) == 1
    assert len(predicted) == 1 + len(VERBS["predict"].flags)
    asked = [asdict(asked) for (_, asked), _ in predicted]
    assert {name for one in asked for name, value in one.items() if value} == set(asked[0])
    assert compared[0] == (
        (["runs/top", "runs/rgb", "runs/again"], "test"),
        {"out": Path("runs/compare-top-rgb-again"), "thumbnails": True},
    )
    assert len(compared) == 1 + len(VERBS["compare"].flags)
    assert mixed[1] == (
        (["runs/top", "runs/side"],),
        {
            "weights": "0.6,0.4",
            "by": "subject",
            "split": "validation",
            "out": Path("runs/ensemble-top-side"),
        },
    )
    assert len(mixed) == 2 + len(VERBS["ensemble"].flags)
    assert [str(call["out"]) for call in cooked] == [
        "runs/soup-top-again",
        "runs/soup-top-rgb",
        "runs/new",
    ]
    assert {str(call["out"]) for call in probed} == {
        "runs/probe-top",
        "runs/probe-top-demo",
        "runs/new",
    }
    assert {call["split"] for call in probed} == {"validation", "test"}
    assert explained[0] == {
        **dict.fromkeys(
            (
                *("photos", "masks", *MASK_FLAGS, "manifest", "columns", "prefix", "subject"),
                *("spelling", "out"),
            ),
            "",
        ),
        **{"run": "runs/top", "split": "validation", "count": 32, "stage": -1},
    }
    assert len(explained) == 1 + len(VERBS["explain"].flags)
    given = {name for call in explained for name, value in call.items() if value}
    assert given == set(explained[0])
    given = {name for call in evaluated for name, value in call.items() if value}
    assert given == set(evaluated[0])


@pytest.mark.parametrize("page", ["README.md", *sorted(map(str, (ROOT / "docs").glob("*.md")))])
def test_commands_of_pages_are_understood(page):
    blocks = re.findall(r"```.*?```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    lines = re.sub(r"\\\n *", "", "\n".join(blocks)).splitlines()
    for line in lines:
        for command in re.findall(r"^ *python launch.py ([^#&;]*)", line):
            words = shlex.split(command.replace("…", ""))
            verb, *rest = words if words[0] in VERBS else ["train", *words]
            assert parse(verb, rest), line
