import numpy as np
import pytest

from hairjax.data.photoset import PhotoSet
from hairjax.data.quality import thumbnails
from hairjax.evaluation import baselines
from hairjax.evaluation.metrics import classification as metrics
from hairjax.runs.results import compare_baselines
from tests.data.reading import stored as on_disk


def images(labels, side, seed):
    """One colour per class in a noisy scene, and a random mask."""
    generator = np.random.default_rng(seed)
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [180, 180, 40]])
    noise = generator.normal(0, 25, (len(labels), side, side, 3))
    rgb = np.clip(colours[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
    mask = generator.integers(0, 256, (len(labels), side, side, 1), np.uint8)
    return np.concatenate([rgb, mask], axis=-1)


def test_majority_guesses_the_commonest_training_class():
    found = baselines.majority([0, 1, 1, 1], [0, 1, 1, 3], 4)
    assert list(found) == list(metrics.evaluate([0], [[1.0]]))
    assert found["accuracy"] == 0.5
    assert found["quadratic_kappa"] == 0.0
    assert found["mean_absolute_error"] == 0.75


def test_majority_loss_is_that_of_the_class_shares():
    found = baselines.majority([0, 0, 0, 1], [0, 1], 2)
    assert found["log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)


def test_majority_refuses_labels_beyond_the_classes():
    with pytest.raises(ValueError, match="class 4 is not one of 0 … 3"):
        baselines.majority([0, 1], [4], 4)
    with pytest.raises(ValueError, match="no training labels"):
        baselines.majority(np.array([], int), [0], 4)


@pytest.mark.parametrize("side", [16, 24, 50])
def test_neighbour_recognises_colours(side):
    train, test = np.arange(40) % 4, np.array([3, 1, 0, 2, 2])
    found = baselines.nearest_neighbour(
        images(train, side, 0), train, images(test, side, 1), test, 4
    )
    assert found["accuracy"] == 1.0
    assert list(found) == list(metrics.COUNT_METRICS)


def test_neighbour_reads_photographs_on_disk_in_parts(monkeypatch):
    class Records(list):
        def __getitems__(self, keys):
            asked.append(len(keys))
            return [{"image": self[key]} for key in keys]

    monkeypatch.setattr(thumbnails, "_CHUNK", 16)
    asked, train, test = [], np.arange(40) % 4, np.arange(20) % 3
    arrays = images(train, 20, 0), images(test, 20, 1)
    stored = [on_disk(Records(array), len(array), 20) for array in arrays]
    found = baselines.nearest_neighbour(stored[0], train, stored[1], test, 4)
    assert found == baselines.nearest_neighbour(arrays[0], train, arrays[1], test, 4)
    assert asked == [16, 16, 8, 16, 4]


def test_neighbour_does_not_look_at_the_mask():
    labels = np.arange(12) % 4
    train = images(labels, 32, 0)
    copies = train.copy()
    copies[..., 3] = 255 - copies[..., 3]
    assert baselines.nearest_neighbour(train, labels, copies, labels, 4)["accuracy"] == 1.0


def test_thumbnails_average_areas():
    # Stripes of one pixel average to grey; picking single pixels would give black or white.
    stripes = np.zeros((2, 64, 64, 4), np.uint8)
    stripes[0, :, ::2] = 255
    stripes[1] = 128
    found = baselines.nearest_neighbour(
        np.concatenate([stripes[1:], np.zeros((1, 64, 64, 4), np.uint8)]),
        [1, 0],
        stripes,
        [1, 1],
        2,
    )
    assert found["accuracy"] == 1.0


def test_baselines_of_a_split_copy_no_photographs():
    """Photographs may fill half of the memory; only thumbnails are taken a second time."""

    class Counted(np.ndarray):
        def __getitem__(self, chosen):
            assert isinstance(chosen, slice), "an index that copies"
            return np.asarray(self)[chosen]

    labels = np.arange(60) % 4
    pixels = images(labels, 24, 0)
    train, other = np.arange(0, 60, 2), np.arange(1, 60, 2)
    names = tuple(map(str, labels))
    photos = PhotoSet(pixels.view(Counted), labels, names, names, names, tuple("abcd"), True)
    found = compare_baselines(photos, train, other)
    assert found == {
        "majority class": baselines.majority(labels[train], labels[other], 4),
        "nearest neighbour": baselines.nearest_neighbour(
            pixels[train], labels[train], pixels[other], labels[other], 4
        ),
    }
