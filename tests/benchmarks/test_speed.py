"""Speed's two sides run, and the model sees the same on both."""

import jax
import numpy as np
import pytest

from benchmarks.speed import Case, ours, theirs
from benchmarks.training_step import noise
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.models import table as models

SWIN, CONVOLUTIONS = "swin_mini_patch4_window4_64", "cnn7"


@pytest.fixture(autouse=True)
def small_models():
    with pytest.MonkeyPatch.context() as patch:
        swin = {"dim": 8, "depths": (1, 1), "heads": (1, 2), "window": 4}
        patch.setitem(models.VARIANTS, SWIN, models.Variant(32, swin, models.SWIN))
        family = models.VARIANTS[CONVOLUTIONS].family
        small = {"width": 4, "depths": (1, 1, 1)}
        patch.setitem(models.VARIANTS, CONVOLUTIONS, models.Variant(32, small, family))
        yield


@pytest.mark.parametrize(("name", "kind"), [(SWIN, "training"), (CONVOLUTIONS, "inference")])
@pytest.mark.slow
def test_our_side_runs(name, kind):
    assert ours(Case(name, 32, "float32", kind, 2, 0.0))(2) > 0


def test_the_other_side_runs():
    pytest.importorskip("timm")
    assert theirs(Case(SWIN, 32, "bfloat16", "training", 2, 0.1), compiled=False)(2) > 0


def test_both_see_the_same():
    torch, peer = pytest.importorskip("torch"), pytest.importorskip("benchmarks.peer")
    photos = noise(2, 32)
    expected = model_inputs(
        jax.numpy.asarray(photos), None, None, InputSpecification(28, (6,), ("imagenet",))
    )
    found = peer.inputs(torch.from_numpy(photos).permute(0, 3, 1, 2), 28, augmented=False)
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), expected, atol=1e-4)
