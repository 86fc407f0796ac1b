"""What the help says is so."""

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest

import launch
from configs import top
from hairjax.commands.predict import Unlabelled
from hairjax.config.load import to_plain
from tests.cli.commands import ROOT

# Flags of photographs that are not the run's own.
MASK_FLAGS = ("mask_value", "mask_name", "mask_category")
OF_OTHERS = ("--masks", "--manifest", "--subject", "--spelling", "--mask_")
OF_MANIFESTS = ("--columns", "--prefix")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["evaluate", "--help"]])
def test_help(arguments, capsys):
    assert launch.main(arguments) == 0
    assert capsys.readouterr().out == launch.HELP


def test_help_is_right(folders, trained, monkeypatch, capsys):
    """Its examples are understood, and it has every flag of every verb."""
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
    Path("DIR").symlink_to("runs/top")
    Path("split.csv").touch()
    for run in ("top", "top-demo", "top-demo-folds/fold_0"):
        Path(f"runs/{run}").mkdir(parents=True, exist_ok=True)
        Path(f"runs/{run}/config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))

    commands = re.findall(r"^  python launch.py (.*[^\]\n])$", launch.HELP, re.MULTILINE)
    assert len(commands) == 18
    (
        _,
        of_train,
        of_check,
        of_show,
        of_rates,
        of_evaluate,
        of_report,
        of_folds,
        of_predict,
        of_compare,
        of_ensemble,
        of_soup,
        of_probe,
        of_explain,
        of_convert,
    ) = re.split(
        r"^train |^check|^show|^rates|^evaluate|^report|^folds|^predict|^compare"
        r"|^ensemble|^soup|^probe|^explain|^convert",
        launch.HELP,
        flags=re.MULTILINE,
    )
    for flag in re.findall(r"^  (--\S+)", of_train, re.MULTILINE):
        commands.append(f"--config=configs/top.py:demo {flag}")
    flags_of_check = re.findall(r"^  (--\S+)", of_check, re.MULTILINE)
    for flag in flags_of_check:
        manifest = "--manifest=labels.csv" if flag.startswith(OF_MANIFESTS) else ""
        commands.append(f"check --photos=PHOTOS {manifest} {flag}")
    for flag in re.findall(r"^  (--\S+)", of_rates, re.MULTILINE):
        commands.append(f"rates --config=configs/top.py:demo {flag}")
    for flag in re.findall(r"^  (--\S+)", of_show, re.MULTILINE):
        commands.append(f"show --config=configs/top.py:demo {flag}")
    for flag in re.findall(r"^  (--\S+)", of_evaluate, re.MULTILINE):
        photos = "--photos=PHOTOS" if flag.startswith((*OF_OTHERS, *OF_MANIFESTS)) else ""
        photos += " --manifest=labels.csv" * flag.startswith(OF_MANIFESTS)
        photos += " --masks=MASKS" * flag.startswith("--mask_")
        commands.append(f"evaluate --workdir=runs/top {photos} {flag}")
    for flag in re.findall(r"^  (--\S+)", of_report, re.MULTILINE):
        commands.append(f"report --workdir=runs/top {flag}")
    for flag in re.findall(r"^  (--\S+)", of_folds, re.MULTILINE):
        commands.append(f"folds --config=configs/top.py:demo --config.data.folds=5 {flag}")
    for flag in re.findall(r"^  (--\S+)", of_predict, re.MULTILINE):
        masks = "--masks=MASKS" * flag.startswith("--mask_")
        commands.append(f"predict --workdir=runs/top photo.jpg {masks} {flag}")
    for flag in re.findall(r"^  (--\S+)", of_compare, re.MULTILINE):
        commands.append(f"compare runs/top runs/rgb {flag}")
    for verb, text in (
        ("ensemble runs/top runs/rgb", of_ensemble),
        ("soup runs/top runs/rgb", of_soup),
        ("probe runs/top", of_probe),
    ):
        for flag in re.findall(r"^  (--\S+)", text, re.MULTILINE):
            commands.append(f"{verb} {flag}")
    for flag in re.findall(r"^  (--\S+)", of_explain, re.MULTILINE):
        photos = "--photos=PHOTOS" if flag.startswith((*OF_OTHERS[1:], *OF_MANIFESTS)) else ""
        photos += " --manifest=labels.csv" * flag.startswith(OF_MANIFESTS)
        photos += " --masks=MASKS" * flag.startswith("--mask_")
        commands.append(f"explain --workdir=runs/top {photos} {flag}")
    flags_of_convert = re.findall(r"^  (--\S+)", of_convert, re.MULTILINE)
    for flag in flags_of_convert:
        commands.append(f"convert --weights=SOURCE --model=NAME --out=FILE.safetensors {flag}")
    for command in commands:
        assert launch.main(shlex.split(command)) == 0, capsys.readouterr().err
    assert len(trained) == 2 + 5
    assert told.count("/old=/new") == 9
    assert len(checked) == 1 + len(flags_of_check) == 1 + 13
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
    assert len(converted) == 1 + len(flags_of_convert) == 1 + 5
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
    assert len(predicted) == 1 + 9
    asked = [asdict(asked) for (_, asked), _ in predicted]
    assert {name for one in asked for name, value in one.items() if value} == set(asked[0])
    assert compared[0] == (
        (["runs/top", "runs/rgb", "runs/again"], "test"),
        {"out": Path("runs/compare-top-rgb-again"), "thumbnails": True},
    )
    assert len(compared) == 1 + 4
    assert mixed[1] == (
        (["runs/top", "runs/side"],),
        {
            "weights": "0.6,0.4",
            "by": "subject",
            "split": "validation",
            "out": Path("runs/ensemble-top-side"),
        },
    )
    assert len(mixed) == 2 + 5
    assert [str(call["out"]) for call in cooked] == [
        "runs/soup-top-again",
        "runs/soup-top-rgb",
        "mixed",
    ]
    assert {str(call["out"]) for call in probed} == {
        "runs/probe-top",
        "runs/probe-top-demo",
        "probed",
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
    assert len(explained) == 1 + 16
    given = {name for call in explained for name, value in call.items() if value}
    assert given == set(explained[0])
    given = {name for call in evaluated for name, value in call.items() if value}
    assert given == set(evaluated[0])
