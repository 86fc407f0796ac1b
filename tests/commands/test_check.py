"""Defects planted in a set of photographs: each is found, and nothing else is said."""

import base64
import csv
import hashlib
import io
import re
import shlex
import shutil
import subprocess
from collections import Counter
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import launch
from hairjax.data.quality import findings
from hairjax.data.synthetic import synthesise
from hairjax.system.outputs import RECORD, read_record

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)

SIDE = 96


@pytest.fixture(scope="module")
def clean():
    return synthesise("top", 48, SIDE, 3, 2, lambda done, total: None)


@pytest.fixture(scope="module")
def written(clean, tmp_path_factory):
    """The drawn photographs as files."""
    root = tmp_path_factory.mktemp("clean")
    for image, file in zip(clean.images, clean.files, strict=True):
        for kind, pixels in (("photos", image[..., :3]), ("masks", image[..., 3])):
            path = root / kind / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def folder(written, tmp_path, monkeypatch):
    """A copy of these, to be spoilt."""
    for kind in ("photos", "masks"):
        shutil.copytree(written / kind, tmp_path / kind)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(arguments=""):
    command = f"check --photos=photos --masks=masks --subject='/(s[0-9]+)_' {arguments}"
    status = launch.main(shlex.split(command))
    with Path("runs/check-photos/check.csv").open(newline="") as text:
        return status, list(csv.DictReader(text))


def page_text():
    """The page's text, its cells divided by |."""
    page = Path("runs/check-photos/check.html").read_text("utf-8")
    return unescape(re.sub("(<[^>]*>)+", "|", page[page.index("<body") :]))


def kinds(rows):
    return Counter(row["kind"] for row in rows)


def test_a_clean_set_is_clean(folder, capsys):
    status, rows = check()
    assert (status, rows) == (0, [])
    said = capsys.readouterr().out
    assert re.search("nothing", said)
    assert "a split by subject: for 0 % of the validation" in said
    text = page_text()
    assert "|Nothing stands in the way of training.|" in text
    assert "This page holds photographs" not in text
    assert f"|Median|{SIDE} × {SIDE} pixels|" in text
    assert "|A side below 224 pixels|48 of 48|" in text


@pytest.mark.parametrize(
    ("kind", "repainted"),
    [
        (findings.ALL_EMPTY, lambda mask: mask * 0),
        (findings.FAINT, lambda mask: mask // 4 + mask // 255),
        (findings.INVERTED, lambda mask: 255 - mask),
    ],
)
def test_what_is_found_of_all_masks_stands_on_the_page(folder, kind, repainted):
    for file in folder.glob("masks/*/*"):
        Image.fromarray(repainted(np.array(Image.open(file)))).save(file)
    _, rows = check("--mask_value=soft")
    [(of_set, detail)] = [(row["file"], row["detail"]) for row in rows if row["kind"] == kind]
    assert of_set == ""
    assert f"|The set|{detail}|" in re.sub(r"\|\s*\|", "|", page_text())


@pytest.mark.situation(
    "Masks",
    "some masks with black hair, the others with white",
    "told by `check`, each by its name, as far as the corners show it",
)
@pytest.mark.parametrize("share", [2, 6])
def test_masks_of_which_some_are_inverted(folder, share):
    inverted = sorted(folder.glob("masks/*/*"))[1::share]
    for file in inverted:
        Image.fromarray(255 - np.array(Image.open(file))).save(file)
    status, rows = check()
    told = [row for row in rows if row["kind"] == findings.ONE_INVERTED]
    assert status == 0
    names = [path.relative_to(folder / "masks").as_posix() for path in inverted]
    assert sorted(row["file"] for row in told) == names
    assert all(f"|{name}|" in page_text() for name in names)


def spoil(folder, clean):
    """Plant one defect of every kind; returns (kind, file, other) of each."""
    photos, masks = folder / "photos", folder / "masks"
    # Of each file its own subject, so that no defect hides another.
    _, first = np.unique(clean.subjects, return_index=True)
    files = iter(clean.files[i] for i in first)
    planted = []

    broken = next(files)
    (photos / broken).write_bytes((photos / broken).read_bytes()[:300])
    planted.append((findings.UNUSABLE, f"photos/{broken}", ""))
    unmasked = next(files)
    (masks / unmasked).unlink()
    planted.append((findings.UNUSABLE, f"photos/{unmasked}", ""))
    narrow = next(files)
    Image.new("L", (SIDE, SIDE // 2)).save(masks / narrow)
    planted.append((findings.UNUSABLE, f"photos/{narrow}", ""))

    sizes = ((findings.EMPTY, 0, 0), (findings.FULL, SIDE, SIDE), (findings.TINY, 6, 6))
    for kind, rows, columns in sizes:
        file = next(files)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:rows, :columns] = 255
        Image.fromarray(mask).save(masks / file)
        planted.append((kind, file, ""))

    file = next(files)
    twin = f"level_{0 if file > 'level_1' else 1}/s9001_1.png"
    for kind in (photos, masks):
        shutil.copy(kind / file, kind / twin)
    planted.append((findings.IDENTICAL_CLASSES, *sorted((file, twin))))

    placed = next(files)
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: (47.0, 33.0, 17.25)}
    with Image.open(photos / placed) as image:
        image.save(photos / placed, exif=exif)
    planted.append((findings.POSITION, placed, ""))
    return planted


def test_every_planted_defect_and_nothing_else(folder, clean, capsys):
    planted = spoil(folder, clean)
    status, rows = check()
    assert status == 1
    assert sorted((row["kind"], row["file"], row["other"]) for row in rows) == sorted(planted)
    message = capsys.readouterr().err
    assert "This page holds photographs" in page_text()
    assert message.startswith("error: put right before training: cannot be used: 3, identical ")
    text = page_text()
    assert all(f"|{row['file']}|" in text for row in rows)
    page = Path("runs/check-photos/check.html").read_text("utf-8")
    assert "17.25" not in page + str(rows)
    thumbnails = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert len(thumbnails) == 3 + 2
    for data in thumbnails:
        with Image.open(io.BytesIO(base64.b64decode(data))) as thumbnail:
            assert not thumbnail.getexif()


def test_a_mask_unlike_its_class(folder, clean):
    # Upside down, and on the wrong side: where hair is in no other mask of the class.
    label = np.bincount(clean.labels).argmax()
    file = clean.files[np.flatnonzero(clean.labels == label)[0]]
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[-30:, -30:] = 255
    Image.fromarray(mask).save(folder / "masks" / file)
    status, rows = check()
    assert (status, kinds(rows)) == (0, {findings.OUTLIER: 1})
    assert rows[0]["file"] == file
    assert "place from the left 8" in rows[0]["detail"]


def test_copies_across_the_given_split(folder, clean, capsys):
    status, _ = check()
    original = clean.files[0]
    copy = original.replace(clean.subjects[0], "s9001")
    for kind in ("photos", "masks"):
        with Image.open(folder / kind / original) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(folder / kind / copy)
    part = dict.fromkeys(clean.subjects, "train")
    last = sorted({*clean.subjects} - {clean.subjects[0]})[::4]
    part |= dict.fromkeys([*last, "s9001"], "validation")
    lines = ["file,label,subject,sha256,split"]
    lines += [f"{subject},,{subject},{subject},{name}" for subject, name in part.items()]
    (folder / "split.csv").write_text("\n".join(lines) + "\n")
    capsys.readouterr()
    status, rows = check("--split=split.csv")
    assert status == 1
    assert [(row["kind"], row["file"], row["other"]) for row in rows] == [
        (findings.NEAR_SPLITS, original, copy)
    ]
    assert re.fullmatch(
        rf"likeness [01]\.\d\d; train and validation; subjects {clean.subjects[0]} and s9001",
        rows[0]["detail"],
    )
    assert "near-duplicates across splits: 1;" in capsys.readouterr().err


def test_a_split_that_leaks_is_measured(folder, clean):
    """Every subject in both parts, as a split.csv of a run that did not know of subjects."""
    lines, seen = ["file,label,subject,sha256,split"], Counter()
    for file, subject in zip(clean.files, clean.subjects, strict=True):
        contents = hashlib.sha256((folder / "photos" / file).read_bytes()).hexdigest()
        lines.append(f"{file},,,{contents},{'validation' if seen[subject] % 3 == 1 else 'train'}")
        seen[subject] += 1
    (folder / "split.csv").write_text("\n".join(lines) + "\n")
    check("--split=split.csv")
    assert int(re.search(r"\|split.csv\|(\d+)%\|", page_text())[1]) >= 20


def test_a_split_that_does_not_fit_is_said(folder, clean, capsys):
    (folder / "split.csv").write_text("file,label,subject,sha256,split\n")
    status, rows = check("--split=split.csv")
    assert (status, kinds(rows)) == (1, {findings.SPLIT: 1})
    assert "does not say to which split" in rows[0]["detail"]


def test_names_in_several_spellings(folder, capsys):
    for kind in ("photos", "masks"):
        shutil.move(folder / kind / "level_0", folder / kind / "Level 0")
        moved = sorted((folder / kind / "Level 0").iterdir())
        (folder / kind / "level_0").mkdir()
        for path in moved[: len(moved) // 2]:
            shutil.move(path, folder / kind / "level_0" / path.name)
    status, rows = check()
    assert (status, kinds(rows)) == (1, {findings.SPELLING: 1})
    [said] = [row["detail"] for row in rows if row["kind"] == findings.SPELLING]
    assert said == "classes: 'Level 0' = 'level_0'"
    captured = capsys.readouterr()
    assert findings.SPELLING in captured.err
    assert findings.SPELLING in page_text()
    # Once they are one, the order of the classes is known.
    assert re.search(r"order of the classes: .evel.0 < level_1 < level_2 < level_3", captured.out)
    assert len(re.findall(r"^ *.evel.0 ", captured.out, re.MULTILINE)) == 1
    status, rows = check("--spelling=merge --classes=level_3,level_2,level_1,level_0")
    assert (status, rows) == (0, [])
    said = capsys.readouterr().out
    assert "level_3 < level_2 < level_1 < level_0 (as data.classes gives it)" in said


def test_classes_of_unequal_size(folder, clean):
    for file in clean.files:
        if file.startswith("level_3") and file != next(
            f for f in clean.files if f.startswith("level_3")
        ):
            (folder / "photos" / file).unlink()
    _, rows = check()
    assert findings.IMBALANCE in kinds(rows)
    imbalance = next(row for row in rows if row["kind"] == findings.IMBALANCE)
    assert "level_3 1:" in imbalance["detail"]
    assert (imbalance["file"], imbalance["other"]) == ("", "")
    # One subject cannot be in train and in validation.
    assert kinds(rows)[findings.SPLIT] == 1


@pytest.mark.parametrize("spoilt", ["photos", "masks"])
def test_nothing_that_can_be_used(spoilt, folder, clean, capsys):
    for file in clean.files:
        (folder / spoilt / file).write_bytes(b"")
    assert launch.main(["check", "--photos=photos", "--masks=masks"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: no photograph can be used, correct them first:\n")
    assert "(48):" in message
    assert not Path("runs").exists()


def test_no_photograph_that_has_a_subject(folder, capsys):
    assert launch.main(["check", "--photos=photos", "--subject=nobody"]) == 1
    assert capsys.readouterr().err.startswith(
        "error: no photograph can be used, correct them first:\n  no subject: "
    )
    assert not Path("runs").exists()


def test_without_masks_and_subjects(folder, capsys):
    assert launch.main(["check", "--photos=photos", "--out=checked"]) == 0
    written = {path.name for path in Path("checked").iterdir()}
    assert written == {RECORD, *read_record(Path("checked"))}
    assert Path("checked/check.csv").read_text() == "kind,file,other,detail\n"
    page = Path("checked/check.html").read_text("utf-8")
    assert "none given" in page
    assert "no subject is known" in page
    assert "resemble" not in capsys.readouterr().out


def test_more_than_is_shown_is_said(folder, clean):
    for file in clean.files[:30]:
        Image.new("L", (SIDE, SIDE)).save(folder / "masks" / file)
    _, rows = check()
    assert kinds(rows)[findings.EMPTY] == 30
    assert "|and 6 more in check.csv|" in page_text()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to open the page in")
def test_renders_in_chromium(folder, clean, tmp_path):
    spoil(folder, clean)
    check()
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += ["--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--enable-logging=stderr", "--window-size=900,3000"]
    command += [f"--screenshot={tmp_path / 'page.png'}"]
    page = tmp_path / "runs/check-photos/check.html"
    done = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    assert "CONSOLE" not in done.stderr
    with Image.open(tmp_path / "page.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    # The stamp, and a photograph wholly covered by its mask, more than half of it blue.
    stamp = abs(pixels - np.array([0xFF, 0xF3, 0xD1])).max(axis=1)
    assert (stamp == 0).sum() > 200
    blue = pixels[:, 2].astype(int) - pixels[:, 0]
    assert (blue > 60).sum() > 1000
