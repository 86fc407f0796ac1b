"""One trained run for all modules that need some finished run, whatever it was trained on."""

import contextlib
import io
import shutil

import pytest
from PIL import Image

import launch
from hairjax.data.synthetic import synthesise
from hairjax.models.table import SWIN, VARIANTS, Variant


@contextlib.contextmanager
def blank_figures():
    """Empty files in place of figures; drawing takes a quarter of a second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hairjax.report.figures.style._save", lambda figure, path, **how: path.touch()
        )
        yield


@contextlib.contextmanager
def tiny_swin():
    """``model.name=tiny``: three stages of one block each."""
    options = {"dim": 16, "depths": (1, 1, 1), "heads": (1, 2, 4), "window": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "tiny", Variant(32, options, SWIN))
        yield


def flags(folder):
    """What the run is trained with, but ``--workdir``; the folder may be a copy's."""
    folder = (folder / "photos").resolve().parent
    return [
        "--config=configs/top.py:demo",
        "--config.model.name=tiny",
        "--config.data.source=photos",
        f"--config.data.photos={folder}/photos",
        f"--config.data.masks={folder}/masks",
        "--config.data.subject=/(s[0-9]+)_",
        "--config.data.fractions=0.5,0.3,0.2",
        "--config.data.cache=",
        "--config.data.image_size=32",
        "--config.train.epochs=1",
        "--config.train.batch_size=8",
        "--config.optim.warmup_epochs=0",
        "--config.devices.mesh=2",
        "--config.report.gallery=3",
    ]


def write_photographs(folder):
    """Eighty, with a position and a camera in their EXIF, larger than the model sees them."""
    photos = synthesise("top", 80, 80, 0, 2, lambda done, total: None)
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    exif[0x010F] = "SECRET CAMERA"
    for image, file in zip(photos.images, photos.files, strict=True):
        for kind, pixels in (("photos", image[..., :3]), ("masks", image[..., 3])):
            path = folder / kind / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, exif=exif)


def train(folder, workdir, *more):
    """The status, and what was said."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = launch.main([*flags(folder), f"--workdir={workdir}", *more])
    return status, said.getvalue()


def make(folder):
    write_photographs(folder)
    with tiny_swin(), blank_figures():
        status, said = train(folder, folder / "run")
    assert status == 0
    (folder / "said.txt").write_text(said)


def copy(finished, folder):
    """The run in a folder of one's own, beside the same photographs; returns the folder."""
    shutil.copytree(finished / "run", folder / "run")
    for kind in ("photos", "masks"):
        (folder / kind).symlink_to(finished / kind)
    return folder
