"""Folders that commands are given, and what stands in for what they would do."""

import json

import pytest

from configs import top
from hairjax.config.load import to_plain


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders as they should be (photographs are not opened here) and as they should not."""
    root = tmp_path_factory.mktemp("folders")
    for name in ("a.jpg", "b.jpg"):
        for level in ("level_0", "level_1"):
            for file in (root / "photos" / level / name, root / "masks" / level / name):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
    for folder in ("empty", "hole/level_0", "hole/level_1", "single/level_0"):
        (root / folder).mkdir(parents=True)
    for file in ("hole/level_0/a.jpg", "single/level_0/a.jpg", "a.jpg", "weights.h5"):
        (root / file).touch()
    (root / "taken").mkdir()
    (root / "taken" / "thesis.tex").touch()
    (root / "labels.csv").write_text("where,label\n")
    (root / "my.py").write_text("from configs import top\nget_config = top.get_config\n")
    (root / "old.py").write_text(
        "from configs import top\n"
        "def get_config():\n"
        "    config = top.get_config('demo')\n"
        "    del config.optim.clip\n"
        "    return config\n"
    )
    (root / "broken.py").write_text("def get_config(:\n")
    (root / "broken.json").write_text('{"seed": ')
    run = root / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))
    plain = to_plain(top.get_config("demo"))
    plain["optim"]["sam"] = 0.05
    (root / "later" / "checkpoints").mkdir(parents=True)
    (root / "later" / "config.json").write_text(json.dumps(plain))
    return root


@pytest.fixture
def nothing_slow(monkeypatch):
    """Whoever decodes or draws photographs, makes weights or restores a run was not stopped."""

    def too_late(*args, **kwargs):
        raise AssertionError("the mistake should have been noticed before")

    slow = (
        "training.train.load_data",
        "training.train.pretrained_model",
        "runs.photographs.load_data",
        "commands.show.load_data",
    )
    for name in slow:
        monkeypatch.setattr(f"hairjax.{name}", too_late)


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """What would be trained, and where: a list of (configuration, workdir)."""
    calls = []
    monkeypatch.setattr("hairjax.training.train.train_run", lambda *args: calls.append(args[:2]))
    monkeypatch.chdir(tmp_path)
    return calls
