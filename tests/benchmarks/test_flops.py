"""The count of operations, beside the papers' and XLA's."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from benchmarks.flops import forward_flops, training_flops
from hairjax.models.factory import model_builder, native_size
from tests.models.example import options

# Liu et al. 2021, table 1 (b): "FLOPs" of ImageNet models, a product and its sum counted as one.
PUBLISHED = {
    "swin_tiny_patch4_window7_224": 4.5e9,
    "swin_small_patch4_window7_224": 8.7e9,
    "swin_base_patch4_window7_224": 15.4e9,
    "swin_base_patch4_window12_384": 47.0e9,
    "swin_large_patch4_window12_384": 103.9e9,
}


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_is_what_the_paper_says(name, published):
    assert forward_flops(name, 3, 1000) / 2 == pytest.approx(published, rel=0.02)


def test_is_nearly_all_that_xla_counts():
    """What remains is no matrix product, of which the narrowest Swin has the largest share."""
    name = "swin_mini_patch4_window4_64"
    side = native_size(name)
    build = model_builder(name, options(image_size=(side, side), in_channels=6, num_classes=4))
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))
    images = jax.ShapeDtypeStruct((2, side, side, 6), jnp.float32)

    def loss(state, images):
        return nnx.merge(graphdef, state)(images).sum()

    forward = jax.jit(loss).lower(state, images).cost_analysis()["flops"] / 2
    assert forward_flops(name, 6, 4) <= forward < 1.25 * forward_flops(name, 6, 4)
    both = jax.jit(jax.grad(loss)).lower(state, images).cost_analysis()["flops"] / 2
    assert both == pytest.approx(training_flops(name, 6, 4), rel=0.25)
