"""A run looks for new masks as it found its own; flags say otherwise."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import launch
from hairjax.runs.folder import RunFolder
from tests import finished

pytestmark = pytest.mark.usefixtures("tiny_swin")


@pytest.fixture(scope="module")
def root(finished_run, tmp_path_factory):
    root = finished.copy(finished_run, tmp_path_factory.mktemp("masks"))
    for mask in sorted((root / "masks").rglob("*.png")):
        for kind in ("hair", "skin"):
            named = root / kind / mask.relative_to(root / "masks")
            named.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(mask, named.with_name(f"{mask.stem}_{kind}.png"))
    return root


def predict(root, out, *flags):
    command = ["predict", f"--workdir={root}/run", f"{root}/photos", f"--out={out}", *flags]
    return launch.main(command)


def rows(path: Path) -> list[dict]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_run_keeps_how_its_masks_are_named(root):
    folder = RunFolder(root / "run")
    kept = json.loads(folder.masks.read_text())
    assert kept["name"] == "{name}" and kept["category"] == ""
    assert folder.read_mask_facts().name == "{name}"


def test_other_names_give_the_same_predictions(root, tmp_path, capsys):
    assert predict(root, tmp_path / "plain.csv", f"--masks={root}/masks") == 0
    assert predict(root, tmp_path / "named.csv", f"--masks={root}/hair") == 0
    assert "masks: named {name}_hair, of 80 of 80 photographs" in capsys.readouterr().out
    assert rows(tmp_path / "plain.csv") == rows(tmp_path / "named.csv")


def test_another_affix_than_the_runs_is_asked_for(root, tmp_path, capsys):
    own = RunFolder(root / "run")
    before = own.masks.read_text()
    own.masks.write_text(json.dumps(json.loads(before) | {"name": "{name}_hair"}))
    try:
        out = tmp_path / "skin.csv"
        assert predict(root, out, f"--masks={root}/skin") == 1
        said = capsys.readouterr().err
        assert "trained with masks named {name}_hair, and these are named {name}_skin" in said
        assert not out.exists()
        assert predict(root, out, f"--masks={root}/skin", "--mask_name={name}_skin") == 0
        for verb in ("evaluate", "explain"):
            flags = [f"--photos={root}/photos", f"--masks={root}/skin", f"--out={tmp_path}/{verb}"]
            command = [verb, f"--workdir={root}/run", *flags]
            assert launch.main(command) == 1
            assert "these are named {name}_skin" in capsys.readouterr().err
        assert launch.main([*command, "--mask_name={name}/x"]) == 1
        assert "it must hold {name}" in capsys.readouterr().err
    finally:
        own.masks.write_text(before)


def test_annotations_of_new_photographs(root, tmp_path, capsys):
    """Masks as run lengths give the very predictions that the pictures give."""
    images, annotations = [], []
    for number, path in enumerate(sorted((root / "masks").rglob("*.png"))):
        hair = np.asarray(Image.open(path).convert("L")) > 127
        height, width = hair.shape
        said = {"file_name": path.name, "width": width, "height": height}
        images.append({"id": number, **said})
        picture = tmp_path / "masks" / path.relative_to(root / "masks")
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(hair).save(picture)
        flat = hair.flatten(order="F")
        ends = [0, *(np.flatnonzero(np.diff(flat)) + 1), flat.size]
        runs = [0] * int(flat[0]) + np.diff(ends).tolist()
        area = {"size": hair.shape, "counts": runs}
        annotations.append({"image_id": number, "category_id": 7, "segmentation": area})
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": 7, "name": "scalp hair"}, {"id": 8, "name": "not used"}]
    (tmp_path / "set.json").write_text(json.dumps(content))
    assert predict(root, tmp_path / "plain.csv", f"--masks={tmp_path}/masks") == 0
    found = predict(root, tmp_path / "coco.csv", f"--masks={tmp_path}/set.json")
    assert found == 0, capsys.readouterr().err
    assert "COCO's annotations, 'scalp hair' in 80 of 80 photographs" in capsys.readouterr().out
    assert rows(tmp_path / "plain.csv") == rows(tmp_path / "coco.csv")
