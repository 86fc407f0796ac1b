"""Mirror images of photographs in memory, on disk, and of two views."""

import numpy as np
import pytest

from hairjax.data.mirror import mirrored
from hairjax.data.pairs import Pairs
from hairjax.data.photoset import PhotoSet

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 4), np.uint8)


def photo_set(images):
    n = len(images)
    names = tuple(f"{i}.png" for i in range(n))
    return PhotoSet(images, np.arange(n), names, names, names, ("a",) * 1, has_masks=True)


def test_in_memory_nothing_is_copied():
    given = photo_set(PIXELS)
    found = mirrored(given)
    assert np.shares_memory(found.images, PIXELS)
    np.testing.assert_array_equal(found.images[2], np.fliplr(PIXELS[2]))
    np.testing.assert_array_equal(mirrored(found).images, PIXELS)
    assert (found.files, found.sha256, found.has_masks) == (given.files, given.sha256, True)


@pytest.mark.situation(
    "Results",
    "`evaluate --flips` of a model of two views, some of them missing",
    "both views are mirrored, their masks too; a view that is missing stays missing",
)
def test_both_views_are_mirrored_and_a_missing_one_stays_missing():
    views = Pairs((PIXELS, PIXELS[::-1]), np.array([[0, 1], [2, -1]]))
    found = mirrored(photo_set(views))
    together = found.images[np.arange(2)]
    np.testing.assert_array_equal(together[0, ..., :4], np.fliplr(PIXELS[0]))
    np.testing.assert_array_equal(together[0, ..., 4:], np.fliplr(PIXELS[3]))
    assert not together[1, ..., 4:].any()
    assert (len(found.images), found.images.shape) == (2, (2, 6, 6, 8))
    assert (found.images.on_disk, found.images.nbytes) == (False, views.nbytes)
    np.testing.assert_array_equal(found.subset(np.array([1])).images[:], together[1:])
