"""What masks are measured to be, beside scipy."""

import pytest
from scipy import ndimage

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
