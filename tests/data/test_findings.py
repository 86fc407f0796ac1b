"""What masks are measured to be, beside scipy."""

import numpy as np
import pytest
from scipy import ndimage

from hairjax.data.quality import findings
from hairjax.data.quality.duplicates import DuplicatePair
from hairjax.data.quality.measures import measure
from hairjax.data.synthetic import synthesise

SIDE = 64


def test_masks_are_measured_as_numpy_and_scipy_do():
    clean = synthesise("top", 16, SIDE, 3, 2, lambda done, total: None)
    shapes = measure(clean, 7)[0]
    for i in (0, 9, 15):
        mask = clean.images[i, ..., 3].astype(float)
        down, right = ndimage.center_of_mass(mask)
        assert shapes.area[i] == pytest.approx(mask.mean() / 255)
        assert shapes.down[i] == pytest.approx((down + 0.5) / SIDE)
        assert shapes.right[i] == pytest.approx((right + 0.5) / SIDE)


def test_a_near_duplicate_is_of_the_gravest_kind_that_it_is():
    """Across splits before in two classes before neither."""
    clean = synthesise("top", 16, 32, 3, 1, lambda done, total: None)
    first = clean.labels[0]
    alike, other = (
        int(np.flatnonzero(here)[1]) for here in (clean.labels == first, clean.labels != first)
    )
    pairs = [DuplicatePair(0, alike, 0.9), DuplicatePair(0, other, 0.8)]
    together = np.full(16, "train")
    assert [one.kind for one in findings.of_duplicates(clean, pairs, together)] == [
        findings.NEAR,
        findings.NEAR_CLASSES,
    ]
    apart = np.where(np.arange(16) == 0, "train", "test")
    found = findings.of_duplicates(clean, pairs, apart)
    assert {one.kind for one in found} == {findings.NEAR_SPLITS}
    names = f"classes {clean.classes[first]} and {clean.classes[clean.labels[other]]}"
    assert names in found[1].detail
    assert findings.NEAR_CLASSES not in findings.GRAVE
