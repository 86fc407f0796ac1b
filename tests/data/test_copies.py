"""Training refuses copies across the split, and only those."""

import io
import shlex
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from configs import top
from hairjax.builders.setup import resolve
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality import copies as leak
from hairjax.data.quality import thumbnails
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.synthetic import synthesise
from hairjax.system.errors import UserError
from tests.data.reading import stored

SIDE, COUNT, TRAIN = 192, 60, 40


@pytest.fixture(scope="module")
def clean():
    return replace(
        synthesise("top", COUNT, SIDE, 5, 2, lambda done, total: None), subjects=("",) * COUNT
    )


@pytest.fixture
def split():
    return np.array(["train"] * TRAIN + ["validation"] * 10 + ["test"] * 10)


def encoded(pixels, quality=60):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def halved(pixels):
    photo = Image.fromarray(pixels)
    return np.asarray(photo.resize((SIDE // 2, SIDE // 2)).resize((SIDE, SIDE)))


def cropped(pixels):
    return np.asarray(Image.fromarray(pixels).crop((6, 6, SIDE - 4, SIDE - 4)).resize((SIDE, SIDE)))


SURE = {
    "encoded": encoded,
    "half": halved,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned": lambda pixels: encoded(np.rot90(pixels).copy()),
}


def planted(photos, edit, pairs):
    """The photographs with some replaced by edited others: (training, held out)."""
    images = photos.images.copy()
    for source, place in pairs:
        images[place, ..., :3] = edit(images[source, ..., :3])
    return replace(photos, images=images)


MORE = {"spelling": "merge", "mask_value": "17", "classes": '"a,b",c'}


def configured(**data):
    config = top.get_config()
    config.data.update(photos="PHOTOS", **data)
    setup = resolve(config)
    return setup.source, setup.split, setup.prepare.hair


def test_a_clean_split_passes(clean, split, capsys):
    require_no_copies(clean, split, *configured())
    assert "validation and test: none found" in capsys.readouterr().out


@pytest.mark.parametrize("edit", SURE)
@pytest.mark.parametrize("place", [45, 55])
@pytest.mark.situation(
    "Splits and leaks",
    "a re-encoded, mirrored or cropped copy of a training photograph in validation or test",
    "refused by name, until `data.on_leak=allow`",
)
def test_one_certain_copy_is_refused(edit, place, clean, split):
    photos = planted(clean, SURE[edit], [(7, place)])
    with pytest.raises(UserError, match=r"^the split leaks: 1 of the 20 validation and test") as e:
        require_no_copies(photos, split, *configured(subject="/(a b)", **MORE))
    said = str(e.value)
    assert f"{photos.files[place]} ({split[place]}) = {photos.files[7]}, likeness " in said
    command = said.partition("List all with ")[2].partition("; give")[0]
    assert shlex.split(command) == [
        *("python", "launch.py", "check", "--photos=PHOTOS", "--mask_value=17"),
        *("--subject=/(a b)", '--classes="a,b",c', "--spelling=merge"),
    ]
    assert said.endswith("--config.data.on_leak=allow")


@pytest.mark.parametrize(("count", "refused"), [(1, False), (2, True)])
def test_one_that_is_merely_alike_may_be_chance(count, refused, clean, split, capsys):
    photos = planted(clean, cropped, [(i, TRAIN + i) for i in range(count)])
    if refused:
        with pytest.raises(UserError, match=f"{count} of the 20"):
            require_no_copies(photos, split, *configured())
        return
    require_no_copies(photos, split, *configured())
    out = capsys.readouterr().out
    assert "1 of the 20 validation and test photographs look like copies" in out
    assert "training continues: so few may be chance" in out


def test_allowed_by_name_it_is_told(clean, split, capsys):
    photos = planted(clean, encoded, [(i, TRAIN + i) for i in range(5)])
    require_no_copies(photos, split, *configured(on_leak="allow"))
    out = capsys.readouterr().out
    assert "5 of the 20" in out
    assert "training continues: config.data.on_leak=allow" in out


def test_copies_on_one_side_are_no_leak(clean, split, capsys):
    photos = planted(clean, encoded, [(7, 8), (TRAIN + 1, TRAIN + 2), (TRAIN, TRAIN + 15)])
    require_no_copies(photos, split, *configured())
    assert "none found" in capsys.readouterr().out


def test_many_identical_files_do_not_hide_a_copy(clean, split):
    """Of which each would be a nearest candidate."""
    images, sha256 = clean.images.copy(), list(clean.sha256)
    for place in range(8, 20):
        images[place], sha256[place] = images[7], sha256[7]
    images[TRAIN, ..., :3] = encoded(images[7, ..., :3])
    photos = replace(clean, images=images, sha256=tuple(sha256))
    with pytest.raises(UserError, match="1 of the 20"):
        require_no_copies(photos, split, *configured())


def test_drawn_photographs_are_not_looked_at(clean, split, monkeypatch):
    monkeypatch.setattr(leak, "find_copies", None)
    photos = planted(clean, encoded, [(7, 45)])
    require_no_copies(photos, split, *configured(source="synthetic"))


def test_of_several_processes_one_looks_and_all_refuse(clean, split, monkeypatch):
    monkeypatch.setattr(leak, "is_first", lambda: False)
    monkeypatch.setattr(leak, "find_copies", None)
    monkeypatch.setattr(leak, "largest", lambda mine: max(mine, 1))
    with pytest.raises(UserError, match="process 0 names the copies"):
        require_no_copies(clean, split, *configured())


def test_photographs_on_disk_are_read_in_parts(clean, split, monkeypatch):
    """As in memory, and never all at once."""
    monkeypatch.setattr(thumbnails, "_CHUNK", 32)
    photos = planted(clean, encoded, [(7, 45)])

    class Records:
        def __getitems__(self, rows):
            assert len(rows) <= 32
            return [{"image": photos.images[row]} for row in rows]

    images = stored(Records(), COUNT, SIDE)
    on_disk = PhotoSet(**{**vars(photos), "images": images})
    with pytest.raises(UserError, match="1 of the 20"):
        require_no_copies(on_disk, split, *configured())
