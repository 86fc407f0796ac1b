import numpy as np
import pytest

from hairjax.weights.bias_table import resize_bias_table

# That the tables equal timm's is tested with the models.


def table(window, heads=2, seed=0):
    rows = (2 * window[0] - 1) * (2 * window[1] - 1)
    return np.random.default_rng(seed).normal(size=(rows, heads)).astype(np.float32)


def square(table, window):
    return table.reshape(2 * window[0] - 1, 2 * window[1] - 1, -1)


def test_same_window_keeps_the_table():
    original = table((4, 3))
    assert resize_bias_table(original, (4, 3), (4, 3)) is original


@pytest.mark.parametrize("window", [(6, 6), (3, 4), (4, 7), (2, 2), (1, 4), (12, 5)])
def test_resizing_keeps_centre_constants_and_symmetry(window):
    original = table((4, 4))
    resized = resize_bias_table(original, window, (4, 4))
    assert resized.shape == ((2 * window[0] - 1) * (2 * window[1] - 1), 2)
    assert resized.dtype == np.float32
    # Places at distance 0 are the middle row; every value lies between old ones.
    np.testing.assert_allclose(resized[len(resized) // 2], original[24], rtol=1e-6)
    assert original.min() <= resized.min() <= resized.max() <= original.max()

    constant = resize_bias_table(np.full_like(original, 0.7), window, (4, 4))
    np.testing.assert_allclose(constant, 0.7, rtol=1e-6)

    mirrored = square(original, (4, 4))[::-1, ::-1].reshape(original.shape)
    np.testing.assert_allclose(
        square(resize_bias_table(mirrored, window, (4, 4)), window),
        square(resized, window)[::-1, ::-1],
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_larger_window_keeps_what_neighbours_were():
    """The nearest distances stay the nearest, and the new border is the old one's value."""
    original, resized = table((4, 4)), resize_bias_table(table((4, 4)), (8, 8), (4, 4))
    small, large = square(original, (4, 4)), square(resized, (8, 8))
    np.testing.assert_allclose(large[6:9, 6:9], small[2:5, 2:5], rtol=1e-5)
    np.testing.assert_allclose(large[0, 0], small[0, 0], rtol=1e-4, atol=1e-4)
