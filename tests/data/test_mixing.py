import functools

import jax
import numpy as np
import pytest
import scipy.stats

from hairjax.data.augment import Amounts
from hairjax.data.mixing import cutmix_shares, mixup_shares, own_shares

SIDE, COUNT = 28, 4000
OFF = Amounts(**dict.fromkeys(Amounts._fields, 0.0))

compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
mixup = compiled(mixup_shares, static_argnums=1)
cutmix = compiled(cutmix_shares, static_argnums=(1, 2))
own = compiled(own_shares, static_argnums=(1, 2))


def keys(count=COUNT, seed=0):
    return jax.random.split(jax.random.key(seed), count)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_mixup_shares_are_the_upper_half_of_betas(alpha):
    shares = np.asarray(mixup(keys(), alpha))
    law = scipy.stats.beta(alpha, alpha)
    found = scipy.stats.kstest(shares, lambda x: 2 * law.cdf(x) - 1)
    assert found.pvalue > 1e-3
    assert ((shares >= 0.5) & (shares <= 1)).all()


def test_cutmix_cuts_one_box_and_its_share_is_exact():
    kept, shares = map(np.asarray, cutmix(keys(), 1.0, SIDE))
    assert kept.shape == (COUNT, SIDE, SIDE, 1)
    assert set(np.unique(kept)) == {0.0, 1.0}
    np.testing.assert_allclose(shares, kept.mean(axis=(1, 2, 3)), atol=1e-6)
    box = kept[..., 0] == 0
    rows, columns = box.any(axis=2), box.any(axis=1)
    np.testing.assert_array_equal(box, rows[:, :, None] & columns[:, None, :])
    for chosen in (rows, columns):  # without a gap
        assert (np.diff(chosen, prepend=False, append=False, axis=1).sum(axis=1) <= 2).all()
    # Square but where the picture's border cuts it.
    inside = ~(rows[:, [0, -1]].any(axis=1) | columns[:, [0, -1]].any(axis=1)) & rows.any(axis=1)
    assert inside.sum() > 100
    np.testing.assert_array_equal(rows[inside].sum(axis=1), columns[inside].sum(axis=1))
    assert box.any(axis=0).all()


def published(alpha, rng):
    """The pixels of a box, drawn as the paper's appendix and timm draw it."""
    drawn = rng.beta(alpha, alpha)
    length = int(SIDE * np.sqrt(1 - drawn))
    sides = []
    for centre in rng.integers(0, SIDE, 2):
        ends = np.clip([centre - length // 2, centre + (length + 1) // 2], 0, SIDE)
        sides.append(ends[1] - ends[0])
    return sides[0] * sides[1]


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_cutmix_shares_are_distributed_as_published(alpha):
    rng = np.random.default_rng(0)
    expected = [published(alpha, rng) for _ in range(COUNT)]
    kept, _ = cutmix(keys(), alpha, SIDE)
    found = np.sum(np.asarray(kept) == 0, axis=(1, 2, 3))
    assert scipy.stats.ks_2samp(found, expected).pvalue > 1e-3


def test_with_both_each_photograph_is_mixed_by_either_as_likely():
    pixels, shares = map(np.asarray, own(keys(), OFF._replace(mixup=0.4, cutmix=1.0), SIDE))
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), shares, atol=1e-5)
    blended = np.ptp(pixels, axis=(1, 2, 3)) == 0
    assert blended.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(shares[blended], np.asarray(mixup(keys(), 0.4))[blended])
    kept, cut = map(np.asarray, cutmix(keys(), 1.0, SIDE))
    np.testing.assert_array_equal(pixels[~blended], kept[~blended])
    np.testing.assert_array_equal(shares[~blended], cut[~blended])


def test_mixup_and_cutmix_are_drawn_apart():
    blended = np.asarray(mixup(keys(), 1.0))
    _, cut = cutmix(keys(), 1.0, SIDE)
    assert abs(scipy.stats.spearmanr(blended, cut).statistic) < 0.05


def test_a_photographs_mixing_is_a_function_of_its_key():
    amounts = OFF._replace(mixup=0.4, cutmix=1.0)
    together = own(keys(8), amounts, SIDE)
    backwards = own(keys(8)[::-1], amounts, SIDE)
    for one, other in zip(together, backwards, strict=True):
        np.testing.assert_array_equal(one, other[::-1])
