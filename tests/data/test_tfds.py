import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import launch
from hairjax.data.options import PrepareOptions
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare import pieces
from hairjax.data.prepare.load import load_photos
from hairjax.data.sources.tfds import complete_split, find_records
from hairjax.data.split import make_split
from hairjax.system.errors import UserError

pytestmark = pytest.mark.usefixtures("blank_figures")

SIZE = (9, 7)
CLASSES = ("none", "some", "all")


def pixels_of(split: str, position: int, channels: int) -> np.ndarray:
    rng = np.random.default_rng([len(split), position, channels])
    return rng.integers(0, 256, (*SIZE, channels), np.uint8)


def encoded(pixels: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).save(file, "PNG")
    file.seek(0)
    return file


class Toy(tfds.core.GeneratorBasedBuilder):
    """A set of three classes; those below are what sets can be like."""

    VERSION = tfds.core.Version("1.2.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="few"), tfds.core.BuilderConfig(name="more")]  # noqa: RUF012
    sizes = {"train": 30, "test": 9}  # noqa: RUF012
    parts: tuple[str, ...] = ("image", "label", "mask", "subject")

    def _info(self):
        of = tfds.features
        known = {
            "image": of.Image(shape=(None, None, 3)),
            "label": of.ClassLabel(names=CLASSES),
            "mask": of.Image(shape=(None, None, 1)),
            "subject": of.Text(),
            "id": of.Text(),
        }
        features = {name: known[name] for name in self.parts} | self.other_features()
        return tfds.core.DatasetInfo(builder=self, features=of.FeaturesDict(features))

    def other_features(self):
        return {"depth": tfds.features.Image(shape=(None, None, 1))}  # which nobody reads

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, n) for split, n in self.sizes.items()}

    def example(self, split, i):
        return {
            "image": encoded(pixels_of(split, i, 3)),
            "label": i % 3,
            "mask": encoded(pixels_of(split, i, 1)),
            "subject": f"{split}{i // 3}",
            "id": f"photo_{i}",
            "depth": encoded(pixels_of(split, i, 1)),
        }

    def _generate_examples(self, split, n):
        for i in range(n):
            example = self.example(split, i)
            yield i, {key: example[key] for key in self.info.features}


class ToyTensor(Toy):
    BUILDER_CONFIGS = []  # noqa: RUF012
    sizes = {"train": 30, "validation": 6}  # noqa: RUF012
    parts = ("label", "id")

    def other_features(self):
        bytes_ = tfds.features.Encoding.BYTES
        return {
            "image": tfds.features.Tensor(shape=(*SIZE, 3), dtype=np.uint8, encoding=bytes_),
            "mask": tfds.features.Tensor(shape=(*SIZE, 1), dtype=np.uint8),
        }

    def example(self, split, i):
        arrays = {"image": pixels_of(split, i, 3), "mask": pixels_of(split, i, 1)}
        return super().example(split, i) | arrays


class ToyArray(Toy):
    """As most published sets are: arrays, which only TensorFlow encodes."""

    BUILDER_CONFIGS = []  # noqa: RUF012

    def example(self, split, i):
        return super().example(split, i) | {"image": pixels_of(split, i, 3)}


class ToyBare(Toy):
    BUILDER_CONFIGS = []  # noqa: RUF012
    parts = ("image", "label")


class ToyUnlabelled(Toy):
    """A test split without labels, as competitions have it."""

    BUILDER_CONFIGS = []  # noqa: RUF012
    parts = ("image", "label")

    def example(self, split, i):
        return super().example(split, i) | ({"label": -1} if split == "test" else {})


class ToyRegression(Toy):
    BUILDER_CONFIGS = []  # noqa: RUF012
    parts = ("image",)


class ToySame(Toy):
    BUILDER_CONFIGS = []  # noqa: RUF012
    parts = ("image", "label", "id")

    def example(self, split, i):
        return super().example(split, i) | {"id": "same"}


class ToyTest(Toy):
    BUILDER_CONFIGS = []  # noqa: RUF012
    sizes = {"test": 9}  # noqa: RUF012


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("sets"))


def find(name, data_dir, **changes):
    arguments = {"classes": None, "need_masks": False}
    return find_records(name=name, data_dir=data_dir, **(arguments | changes))


def load(index, cache="", memory=1.0):
    options = PrepareOptions(
        side=8,
        fit="pad",
        on_bad="refuse",
        cache=str(cache),
        beam="",
        memory=memory,
        workers=2,
    )
    return load_photos(index, options, range(3))


@pytest.fixture(scope="module")
def toy(data_dir):
    return find("toy/few", data_dir)


def test_a_set_is_prepared_without_a_word_of_its_own(data_dir, capfd):
    index = find("toy/more:1.2.0", data_dir)
    assert len(index.entries) == 39
    captured = capfd.readouterr()
    assert captured.out == (
        "data set toy/more:1.2.0: not prepared yet, tensorflow-datasets does that now\n"
    )
    assert captured.err == ""
    assert find("toy/more", data_dir).entries[3].label == index.entries[3].label
    assert capfd.readouterr().out == ""
    assert "tensorflow" not in sys.modules


def test_labels_subjects_and_names(toy, data_dir):
    assert toy.classes == CLASSES and toy.has_masks and toy.problems == ()
    builder = tfds.builder_from_directory(f"{data_dir}/toy/few/1.2.0")
    skip = {name: tfds.decode.SkipDecoding() for name in ("image", "mask", "depth")}
    for split, count in Toy.sizes.items():
        entries = [entry for entry in toy.entries if entry.file.startswith(f"{split}/")]
        assert [entry.file for entry in entries] == [f"{split}/{i:06}" for i in range(count)]
        source = builder.as_data_source(split=split, decoders=skip)
        for entry, record in zip(entries, source, strict=True):
            assert entry.label == record["label"]
            assert entry.subject == record["subject"].decode()
            assert entry.path.read_bytes() == record["image"]
            assert entry.mask.read_bytes() == record["mask"]


@pytest.mark.parametrize("name", ["toy/few", "toy_tensor"])
@pytest.mark.parametrize("cached", [False, True])
def test_pixels_are_those_of_the_set(name, cached, data_dir, tmp_path):
    """Encoded or as arrays, in memory or through a prepared set: padded at both sides alike."""
    index = find(name, data_dir)
    photos = load(index, tmp_path / "cache" if cached else "")
    assert len(photos) == len(index.entries) == len({*photos.sha256})
    # 9 × 7 becomes 8 × 6: what Pillow makes of the pixels that were put in.
    subjects = {file.split("/")[0] for file in photos.files}
    assert subjects == {"train", "test" if name == "toy/few" else "validation"}
    made = set()
    for split in subjects:
        for i in range(30):
            rgb, mask = pixels_of(split, i, 3), pixels_of(split, i, 1)[..., 0]
            rgb = Image.fromarray(rgb).resize((6, 8), Image.Resampling.BICUBIC)
            mask = Image.fromarray(mask).resize((6, 8), Image.Resampling.BOX)
            made.add(np.dstack([rgb, mask]).tobytes())
    assert {image[:, 1:7].tobytes() for image in photos.images} <= made


def test_the_second_start_decodes_nothing_and_memory_may_be_short(toy, tmp_path, monkeypatch):
    first = load(toy, tmp_path / "cache")
    monkeypatch.setattr(pieces, "read_photo", lambda *_: pytest.fail("decoded"))
    second = load(toy, tmp_path / "cache", memory=1e-9)
    np.testing.assert_array_equal(second.images.in_memory(), first.images)


def test_a_set_prepared_anew_is_decoded_anew(data_dir, tmp_path):
    index = find("toy_bare", data_dir)
    load(index, tmp_path / "cache")
    records = next(Path(data_dir, "toy_bare/1.2.0").glob("*train*"))
    os.utime(records, ns=(0, 0))
    load(find("toy_bare", data_dir), tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*/1.0.0"))) == 2


def test_an_id_names_the_photograph(data_dir):
    files = {entry.file for entry in find("toy_tensor", data_dir).entries}
    assert {"train/photo_0", "train/photo_29", "validation/photo_5"} <= files


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("toy_array", {}, "'toy_array' cannot be prepared without TensorFlow: .*array_record"),
        ("no_such", {}, r"no data set 'no_such'.*--config\.data\.photos"),
        ("toy/fewer", {}, "cannot open or prepare 'toy/fewer'|no data set 'toy/fewer'"),
        ("toy:9.9.9", {}, "cannot open or prepare 'toy:9.9.9'|no data set 'toy:9.9.9'"),
        ("a b", {}, "cannot open or prepare 'a b'"),
        ("toy_bare", {"need_masks": True}, r"no feature 'mask'; .*in_channels=3"),
        ("toy_regression", {}, "no feature 'label' that is a ClassLabel .*are depth, image"),
        ("toy_same", {}, "photographs with the same id"),
        ("toy_test", {}, "has no split train, only test"),
        ("toy/few", {"classes": ("a", "b")}, "are none, some, all, and the run's are a, b"),
    ],
)
def test_what_cannot_be_used_ends_in_one_sentence(name, changes, message, data_dir):
    with pytest.raises(UserError, match=message) as caught:
        find(name, data_dir, **changes)
    assert "\n" not in str(caught.value)


def test_another_format_is_refused(data_dir, monkeypatch):
    find("toy_bare", data_dir)
    info = Path(data_dir, "toy_bare/1.2.0/dataset_info.json")
    text = info.read_text()
    info.write_text(text.replace('"array_record"', '"tfrecord"'))
    try:
        with pytest.raises(UserError, match="prepared as tfrecord, and only array_record is read"):
            find("toy_bare", data_dir)
    finally:
        info.write_text(text)


def test_a_damaged_file_is_named(data_dir):
    find("toy_bare", data_dir)
    records = next(Path(data_dir, "toy_bare/1.2.0").glob("*train*"))
    whole = records.read_bytes()
    try:
        records.write_bytes(whole[:50_000])
        with pytest.raises(UserError, match=r"a file of toy_bare/1\.2\.0 cannot be read"):
            find("toy_bare", data_dir)
        records.unlink()
        with pytest.raises(UserError, match=r"toy_bare/1\.2\.0 cannot be read: .*No such file"):
            find("toy_bare", data_dir)
    finally:
        records.write_bytes(whole)


def test_missing_labels_are_reported(data_dir):
    index = find("toy_unlabelled", data_dir)
    assert [problem.kind for problem in index.problems] == ["no label"] * 9
    assert {entry.file.split("/")[0] for entry in index.entries} == {"train"}


def test_classes_in_another_order(data_dir):
    own = find("toy/few", data_dir)
    assert own.classes == CLASSES
    for keys in ({"given": ("all", "none", "some")}, {"classes": ("all", "none", "some")}):
        index = find("toy/few", data_dir, **keys)
        assert index.classes == ("all", "none", "some")
        names = [[one.classes[entry.label] for entry in one.entries] for one in (own, index)]
        assert names[0] == names[1]
    with pytest.raises(UserError, match=r"config\.data\.classes names a, b: they must be the same"):
        find("toy/few", data_dir, given=("a", "b"))


def photographs(splits) -> PhotoSet:
    """One photograph of each split's name; every subject has two of them, of one split."""
    n = len(splits)
    files = tuple(f"{split}/{i:06}" for i, split in enumerate(splits))
    return PhotoSet(
        images=np.zeros((n, 1, 1, 4), np.uint8),
        labels=np.arange(n, dtype=np.int32) // 2 % 2,
        files=files,
        subjects=tuple(f"{split}{i // 2}" for i, split in enumerate(splits)),
        sha256=files,
        classes=("a", "b"),
        has_masks=False,
    )


@given(
    st.integers(20, 60),
    st.sampled_from([(), ("test",), ("validation",), ("validation", "test")]),
    st.integers(0, 99),
)
def test_own_splits_stay_and_the_others_come_from_train(half, own, seed):
    photos = photographs(["train"] * 2 * half + [part for part in own for _ in range(6)])
    split = complete_split(photos, (0.6, 0.2, 0.2), seed)
    for part in own:
        mine = np.array([file.startswith(part) for file in photos.files])
        np.testing.assert_array_equal(split == part, mine)
    # Three to one of what each has and lacks, by whole subjects.
    counts = {part: (split == part).sum() for part in ("train", "validation", "test")}
    for part in {"validation", "test"} - {*own}:
        assert abs(counts["train"] / counts[part] - 3) < 1
        assert not {s for s, p in zip(photos.subjects, split, strict=True) if p == part} & {
            s for s, p in zip(photos.subjects, split, strict=True) if p != part
        }
    if not own:
        np.testing.assert_array_equal(split, make_split(photos, (0.6, 0.2, 0.2), seed))


def test_no_test_split_is_drawn_where_none_is_wanted():
    photos = photographs(["train"] * 30 + ["validation"] * 10)
    assert {*complete_split(photos, (0.9, 0.1, 0), 0)} == {"train", "validation"}


def test_a_run_keeps_the_sets_own_test_split(data_dir, tmp_path, capsys, monkeypatch):
    """Through launch.py, as far as the model, of which this says nothing new."""

    def enough(*_):
        raise UserError("that is all")

    monkeypatch.setattr("hairjax.training.train.initial_model", enough)
    status = launch.main(
        [
            "--config=configs/top.py",
            f"--workdir={tmp_path}/run",
            "--config.data.source=tfds:toy/few",
            f"--config.data.photos={data_dir}",
            f"--config.data.cache={tmp_path}/cache",
            "--config.data.image_size=224",
            "--config.weights.source=none",
            "--config.train.batch_size=8",
        ]
    )
    output = capsys.readouterr()
    assert (status, output.err) == (1, "error: that is all\n")
    assert "source: the tensorflow-datasets set toy/few" in output.out
    assert "split: train 27, validation 3, test 9" in output.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["source=tfds:"], "data.source is 'tfds:'; it can be photos, synthetic, tfds:NAME"),
        (["source=tfds:toy", "masks=x"], "config.data.masks is 'x', but config.data.source=tfds"),
        (["source=tfds:toy", "photos=nowhere"], "there is no folder 'nowhere'"),
    ],
)  # fmt: skip
def test_mistaken_flags(flags, message, capsys):
    flags = [f"--config.data.{flag}" for flag in flags]
    assert launch.main(["--config=configs/top.py", "--workdir=nowhere/run", *flags]) == 1
    assert message in capsys.readouterr().err
