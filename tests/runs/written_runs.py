"""Runs as they would be left, written by hand: what they were trained on, and nothing trained."""

import json

from configs import top
from hairjax.builders.setup import resolve
from hairjax.config.load import load_config, to_plain
from hairjax.data.split import write_rows


def row(number, split, subject=None, label="level_0"):
    """A photograph's row of ``split.csv``; without a name the subject has its number."""
    return {
        "file": f"level_0/{number}.png",
        "label": label,
        "subject": f"p{number}" if subject is None else subject,
        "sha256": f"{number:064x}",
        "split": split,
    }


def write_folder(path, rows, source="none", **changed):
    """The folder of a run that began with other weights; keys as ``data__on_leak="allow"``."""
    config = top.get_config("demo")
    config.data.update(source="photos", photos="photos", masks="masks")
    config.weights.source = str(source)
    config.update_from_flattened_dict({k.replace("__", "."): v for k, v in changed.items()})
    (path / "checkpoints").mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(to_plain(config)))
    (path / "classes.json").write_text(json.dumps(["level_0", "level_1"]))
    write_rows(path / "split.csv", rows)
    return path


def setup_of(path):
    return resolve(load_config(str(path / "config.json")))
