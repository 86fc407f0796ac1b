import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from hairjax.data.augment import (
    ASPECT,
    GREY,
    IMAGENET_MEAN,
    Amounts,
    erase,
    hue_matrix,
    jitter_colour,
    sample_transform,
    warp,
)
from hairjax.data.inputs import IMAGENET_STD, InputSpecification, model_inputs

OFF = Amounts(
    rotation=0.0,
    flip=0.0,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    hue=0.0,
    crop_scale=1.0,
    erase=0.0,
    mixup=0.0,
    cutmix=0.0,
    drop_view=0.0,
)
GEOMETRY = OFF._replace(rotation=40.0, flip=0.5, crop_scale=0.3)
COLOUR = OFF._replace(brightness=0.9, contrast=0.9, saturation=0.9, hue=0.3)
EVERYTHING = COLOUR._replace(rotation=40.0, flip=0.5, crop_scale=0.3, erase=0.5)

STORED, SIDE = 32, 28  # the recipe's 256 and 224, an eighth of them
COUNT = 4000  # draws whose distribution is looked at

seeds = st.integers(0, 2**32 - 1)
quickly = settings(deadline=None, max_examples=30)


def noise(count=4, side=STORED, lowest=0, seed=0):
    shape = (count, side, side, 4)
    return np.random.default_rng(seed).integers(lowest, 256, shape, dtype=np.uint8)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


# XLA's optimizations would take most of the time of these tests.
compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


# Few programs serve all tests: the geometry's amounts are not compiled in.
@functools.partial(compiled, static_argnames=("side", "channels", "colour"))
def run(photos, keys, geometry, side, channels, colour):
    amounts = None if geometry is None else Amounts(**geometry, **dict(colour))
    return model_inputs(photos, keys, amounts, InputSpecification(side, (channels,), ("imagenet",)))


def evaluation(photos, side=SIDE, channels=6):
    return np.asarray(run(photos, None, None, side, channels, None))


def augmented(photos, keys, amounts, side=SIDE, channels=6):
    named = amounts._asdict()
    geometry = {name: named.pop(name) for name in ("rotation", "flip", "crop_scale")}
    return np.asarray(run(photos, keys, geometry, side, channels, tuple(named.items())))


warped = compiled(warp, static_argnums=2)
jittered = compiled(jax.vmap(jitter_colour, in_axes=(None, 0, None)), static_argnums=2)
transforms = compiled(jax.vmap(sample_transform, in_axes=(0, None)))


def drawn(amounts):
    """So many transforms: float [COUNT, 2, 3]."""
    return np.asarray(transforms(keys(COUNT), amounts))


def unnormalised(pictures):
    return pictures[..., :3] * np.array(IMAGENET_STD) + np.array(IMAGENET_MEAN)


# --- what the model sees


def test_stored_at_the_models_side_evaluation_sees_every_pixel_as_it_is():
    photos = noise(side=SIDE)
    seen = evaluation(photos)
    np.testing.assert_allclose(unnormalised(seen), photos[..., :3] / 255, atol=2e-5)
    mask = np.repeat(photos[..., 3:] / 255, 3, axis=-1)
    np.testing.assert_allclose(seen[..., 3:], mask, atol=2e-5)


def test_rgb_is_normalised_as_imagenet_was():
    seen = evaluation(np.full((4, STORED, STORED, 4), 255, np.uint8))
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(seen[..., :3], np.broadcast_to(expected, (4, SIDE, SIDE, 3)), 1e-5)


def test_one_channel_is_the_mask():
    photos = noise()
    for look in (evaluation, functools.partial(augmented, keys=keys(4), amounts=EVERYTHING)):
        one, six = look(photos, channels=1), look(photos)
        assert one.shape == (4, SIDE, SIDE, 1)
        np.testing.assert_allclose(one, six[..., 3:4], atol=1e-6)


def test_three_channels_are_the_first_three_of_six():
    photos = noise()
    for look in (evaluation, functools.partial(augmented, keys=keys(4), amounts=EVERYTHING)):
        three, six = look(photos, channels=3), look(photos)
        assert three.shape == (4, SIDE, SIDE, 3)
        assert six.shape == (4, SIDE, SIDE, 6)
        assert three.dtype == six.dtype == np.float32
        np.testing.assert_allclose(three, six[..., :3], atol=1e-6)


def test_the_mask_comes_three_times_between_0_and_1():
    mask = augmented(noise(), keys(4), EVERYTHING)[..., 3:]
    np.testing.assert_array_equal(mask, mask[..., :1].repeat(3, axis=-1))
    assert 0 <= mask.min() < 0.05
    assert 0.9 < mask.max() <= 1


def test_augmentation_of_nothing_is_evaluation():
    photos = noise()
    np.testing.assert_allclose(augmented(photos, keys(4), OFF), evaluation(photos), atol=1e-6)


# --- resampling


def in_pillow(photo, transform, side):
    """What Pillow makes of the same affine map, in float32: [side, side, 4] in 0 … 255."""
    # From x, y in [-1, 1] to pixels, on both sides.
    to_unit = np.array([[2 / side, 0, -1], [0, 2 / side, -1], [0, 0, 1]])
    to_pixels = np.array([[1, 0, 1], [0, 1, 1]]) * len(photo) / 2
    whole = to_pixels @ np.vstack([transform, [0, 0, 1]]) @ to_unit
    channels = [
        Image.fromarray(channel.astype(np.float32)).transform(
            (side, side), Image.Transform.AFFINE, whole.ravel(), Image.Resampling.BILINEAR
        )
        for channel in np.moveaxis(photo, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


@pytest.mark.parametrize("number", range(20))
def test_every_geometry_is_pillows_affine_transform(number):
    photo, transform = noise(1, lowest=1)[0], drawn(GEOMETRY)[number]
    expected = in_pillow(photo, transform, SIDE)
    outside = expected[..., 3] == 0  # the photograph itself is nowhere 0
    expected[outside] = [*(255 * mean for mean in IMAGENET_MEAN), 0]
    # A position is right to 1e-5 of a pixel, from which a neighbour is up to 255 levels away.
    differs = np.abs(warped(photo, transform, SIDE) * 255 - expected).max(axis=-1) > 0.02
    assert differs.sum() <= 1  # one pixel may lie on the border itself


@pytest.mark.parametrize("stored", [STORED, SIDE, 24])
def test_evaluation_is_pillows_bilinear_resize(stored):
    """Of a smooth photograph: Pillow widens its filter by the ratio when it makes smaller.

    The filter's variance, in pixels squared, is then (8/7)²/6, ours between 0 and 1/4 as the two
    nearest pixels lie; times half the second derivative of the waves below, along two axes, this
    is at most half a level. Pillow rounds twice: one level more.
    """
    place = np.linspace(0, 1.5, stored)
    photo = np.uint8(127.5 + 63 * (np.sin(place)[:, None] + np.cos(2 * place)[None]))
    expected = Image.fromarray(photo).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    whole = np.eye(2, 3, dtype=np.float32)
    found = warped(photo[..., None].repeat(4, axis=-1), whole, SIDE) * 255
    assert np.abs(found - np.asarray(expected)[..., None]).max() < 1.5


def test_a_quarter_turn_is_exact():
    photo = noise(1)[0]
    turned = warped(photo, np.array([[0, -1, 0], [1, 0, 0]], np.float32), STORED)
    np.testing.assert_allclose(turned * 255, np.rot90(photo), atol=0.01)


def test_outside_is_imagenets_mean_and_no_hair():
    photo = noise(1, lowest=200)[0]
    farther = np.array([[2, 0, 0], [0, 2, 0]], np.float32)
    picture = np.asarray(warped(photo, farther, SIDE))
    outside = np.ones((SIDE, SIDE), bool)
    outside[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4] = False
    mean = np.broadcast_to([*IMAGENET_MEAN, 0], picture.shape)
    np.testing.assert_allclose(picture[outside], mean[outside], atol=1e-7)
    assert picture[~outside].min() > 0.7


def test_the_model_sees_zeros_outside():
    seen = augmented(noise(lowest=200), keys(4), OFF._replace(rotation=180.0))
    corners = seen[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    empty = np.abs(corners).max(axis=-1) < 1e-6
    assert empty.all(axis=1).any()  # a photograph turned enough shows nothing in any corner


# --- geometry


@quickly
@given(seeds)
def test_photograph_and_mask_move_together(seed):
    photos = noise(lowest=1, seed=seed)
    photos[..., 3] = photos[..., 0]
    seen = augmented(photos, keys(4, seed), GEOMETRY)
    red, mask = unnormalised(seen)[..., 0], seen[..., 3]
    inside = mask > 0
    assert inside.mean() > 0.5
    np.testing.assert_allclose(red[inside], mask[inside], atol=1e-6)
    np.testing.assert_allclose(red[~inside], IMAGENET_MEAN[0], atol=1e-6)


def test_a_flip_is_the_mirrored_photograph():
    photos = noise()
    flipped = augmented(photos, keys(4), OFF._replace(flip=1.0))
    np.testing.assert_allclose(flipped, evaluation(photos[:, :, ::-1]), atol=1e-4)


def test_as_many_flips_as_asked():
    flipped = drawn(OFF._replace(flip=0.25))[:, 0, 0] < 0
    assert flipped.mean() == pytest.approx(0.25, abs=0.03)


def test_rotation_is_even_to_either_side():
    transforms = drawn(OFF._replace(rotation=15.0))
    turns, shifts = transforms[:, :, :2], transforms[:, :, 2]
    assert not shifts.any()
    identities = np.broadcast_to(np.eye(2), (COUNT, 2, 2))
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), identities, atol=1e-6)
    degrees = np.rad2deg(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]))
    assert -15.001 <= degrees.min() < -14.9
    assert 14.9 < degrees.max() <= 15.001
    assert abs(degrees.mean()) < 0.5
    assert degrees.std() == pytest.approx(15 / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("scale", [0.08, 0.5, 0.8, 1.0])
def test_a_crop_is_large_enough_and_never_looks_outside(scale):
    transforms = drawn(OFF._replace(crop_scale=scale))
    width, height = transforms[:, 0, 0], transforms[:, 1, 1]
    area = np.linalg.det(transforms[:, :, :2])
    assert scale - 1e-6 <= area.min() <= scale + 0.02 * (1 - scale)
    assert 1 - 0.02 * (1 - scale) - 1e-6 <= area.max() <= 1 + 1e-6
    assert np.abs(np.log(width / height)).max() <= np.log(ASPECT) + 1e-6
    reach = np.abs(transforms[:, :, 2]) + np.stack([width, height], axis=1)
    assert reach.max() <= 1 + 1e-6
    if scale < 1:
        # Every border is reached, and a crop is as often wide as high.
        assert (reach.max(axis=0) > 0.99).all()
        assert np.mean(width > height) == pytest.approx(0.5, abs=0.03)


def test_a_flipped_crop_too_shows_nothing_but_the_photograph():
    white = np.full((4, STORED, STORED, 4), 255, np.uint8)
    for seed in range(16):
        seen = augmented(white, keys(4, seed), OFF._replace(crop_scale=0.1, flip=0.5))
        assert np.abs(unnormalised(seen) - 1).max() < 1e-5
        assert np.abs(seen[..., 3:] - 1).max() < 1e-5


def test_nothing_is_sheared():
    x_axis, y_axis = np.moveaxis(drawn(GEOMETRY)[:, :, :2], 2, 0)
    np.testing.assert_allclose((x_axis * y_axis).sum(axis=1), np.zeros(COUNT), atol=1e-6)


def test_the_parts_of_a_geometry_are_drawn_independently():
    transforms = drawn(GEOMETRY)
    x_axis, y_axis = transforms[:, :, 0], transforms[:, :, 1]
    width, height = np.linalg.norm(x_axis, axis=1), np.linalg.norm(y_axis, axis=1)
    place = transforms[:, :, 2] / np.maximum(1 - np.stack([width, height], axis=1), 1e-3)
    turn = np.arctan2(-y_axis[:, 0], y_axis[:, 1])
    mirrored = np.linalg.det(transforms[:, :, :2]) < 0
    parts = np.stack([width * height, np.log(width / height), *place.T, turn, mirrored])
    np.testing.assert_allclose(np.corrcoef(parts), np.eye(6), atol=0.06)


# --- colour


def test_colour_never_touches_the_mask():
    plain = augmented(noise(), keys(4), GEOMETRY)
    coloured = augmented(noise(), keys(4), EVERYTHING._replace(erase=0.0))
    np.testing.assert_array_equal(coloured[..., 3:], plain[..., 3:])
    assert np.abs(coloured[..., :3] - plain[..., :3]).mean() > 0.1


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation", "hue"])
def test_colours_stay_in_range(kind):
    rgb = noise(1)[0, ..., :3].astype(np.float32) / 255
    coloured = jittered(rgb, keys(50), OFF._replace(**{kind: getattr(COLOUR, kind)}))
    assert coloured.shape == (50, *rgb.shape)
    assert coloured.min() == 0
    assert coloured.max() == 1


def middling():
    """A picture that no jitter by a fifth takes out of [0, 1]: nothing is clipped."""
    return noise(1)[0, ..., :3] // 4 + 96


def factors(before, after):
    """By how much brightness, contrast and saturation were multiplied, from what they left."""
    grey, grey_after = before @ np.array(GREY), after @ np.array(GREY)
    spread, spread_after = (g.std(axis=(-2, -1)) for g in (grey, grey_after))
    colour, colour_after = (np.ptp(rgb, axis=-1).mean(axis=(-2, -1)) for rgb in (before, after))
    brightness = grey_after.mean(axis=(-2, -1)) / grey.mean()
    contrast = spread_after / spread / brightness
    return np.stack([brightness, contrast, colour_after / colour / brightness / contrast])


@pytest.mark.parametrize(
    ("number", "kind", "enhancer"),
    [
        (0, "brightness", ImageEnhance.Brightness),
        (1, "contrast", ImageEnhance.Contrast),
        (2, "saturation", ImageEnhance.Color),
    ],
)
def test_jitter_does_what_pillow_does(number, kind, enhancer):
    picture = middling()
    rgb = picture.astype(np.float32) / 255
    coloured = np.asarray(jittered(rgb, keys(20), OFF._replace(**{kind: 0.2})))
    for one in coloured:
        factor = factors(rgb, one)[number]
        expected = np.asarray(enhancer(Image.fromarray(picture)).enhance(factor))
        # Pillow rounds its result, and in Contrast the mean besides.
        assert np.abs(one * 255 - expected).max() < 1.5


def test_factors_are_even_around_1_and_independent():
    rgb = middling()[:8, :8].astype(np.float32) / 255
    amounts = OFF._replace(brightness=0.2, contrast=0.2, saturation=0.2)
    found = factors(rgb, np.asarray(jittered(rgb, keys(COUNT), amounts)))
    np.testing.assert_allclose(found.min(axis=1), 0.8, atol=2e-3)
    np.testing.assert_allclose(found.max(axis=1), 1.2, atol=2e-3)
    np.testing.assert_allclose(found.mean(axis=1), 1, atol=6e-3)
    np.testing.assert_allclose(np.corrcoef(found), np.eye(3), atol=0.06)


def test_a_hue_of_no_turn_changes_nothing():
    np.testing.assert_allclose(hue_matrix(0.0), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(hue_matrix(2 * np.pi), np.eye(3), atol=1e-6)


@quickly
@given(st.floats(-7, 7), st.floats(-7, 7))
def test_hue_turns_the_colour_circle_and_keeps_luma_and_grey(turn, further):
    matrix = np.asarray(hue_matrix(turn))
    np.testing.assert_allclose(np.array(GREY) @ matrix, GREY, atol=1e-5)
    np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-5)
    both = np.asarray(hue_matrix(further)) @ matrix
    np.testing.assert_allclose(both, hue_matrix(turn + further), atol=1e-4)


def test_a_third_of_the_colour_circle_takes_red_to_where_green_and_blue_are():
    there, back = (hue_matrix(turn)[:, 0].argmax() for turn in (2 * np.pi / 3, -2 * np.pi / 3))
    assert {int(there), int(back)} == {1, 2}


def test_hue_turns_by_at_most_its_share_of_the_circle():
    rgb = middling().astype(np.float32) / 255
    coloured = np.asarray(jittered(rgb, keys(200), OFF._replace(hue=0.02)))
    changes = np.abs(coloured - rgb).max(axis=(1, 2, 3))
    limits = [
        np.abs(rgb @ np.asarray(hue_matrix(2 * np.pi * share)).T - rgb).max()
        for share in (-0.02, 0.02)
    ]
    assert 0.9 * max(limits) < changes.max() < 1.001 * max(limits)
    assert changes.min() < 0.1 * max(limits)


# --- random erasing


def blanks(probability, count=COUNT):
    """Where `erase` blanks a picture of ones: bool [count, SIDE, SIDE]."""
    ones = np.ones((SIDE, SIDE, 6), np.float32)
    blank = compiled(jax.vmap(erase, in_axes=(None, 0, None)))
    seen = np.asarray(blank(ones, keys(count), probability))
    assert set(np.unique(seen)) <= {0.0, 1.0}
    # In every channel alike: photograph and mask.
    np.testing.assert_array_equal(seen, seen[..., :1].repeat(6, axis=-1))
    return seen[..., 0] == 0


def test_erasing_blanks_one_rectangle_of_moderate_area_and_aspect():
    blank = blanks(1.0)
    rows, columns = blank.any(axis=2), blank.any(axis=1)
    np.testing.assert_array_equal(blank, rows[:, :, None] & columns[:, None, :])
    height, width = rows.sum(axis=1), columns.sum(axis=1)
    for chosen, length in ((rows, height), (columns, width)):
        # Without a gap: it begins once.
        assert (np.diff(chosen, prepend=False, axis=1).sum(axis=1) <= 2).all()
        assert length.min() >= 1
    area = height * width / SIDE**2
    assert area.mean() == pytest.approx((0.02 + 1 / 3) / 2, abs=0.01)
    assert area.max() < 1 / 3 + 2 / SIDE
    # Log-uniform between 0.3 and 1 / 0.3, but for rounding to pixels.
    assert np.mean(np.log(width / height)) == pytest.approx(0, abs=0.05)
    assert (np.abs(np.log(width / height)) < np.log(1 / 0.3) + 0.5).mean() > 0.99
    # Anywhere.
    assert blank.any(axis=0).all()


def test_erasing_happens_as_often_as_asked():
    assert blanks(0.3).any(axis=(1, 2)).mean() == pytest.approx(0.3, abs=0.03)


def test_erasing_leaves_the_rest_as_it_would_be():
    whole = augmented(noise(), keys(4), EVERYTHING._replace(erase=0.0))
    erased = augmented(noise(), keys(4), EVERYTHING._replace(erase=1.0))
    kept = np.isclose(erased, whole, atol=1e-6).all(axis=-1)
    assert 0.1 < kept.mean() < 1
    assert (erased[~kept] == 0).all()


# --- randomness


def test_a_photographs_augmentation_is_a_function_of_its_key():
    photos = noise()
    together = augmented(photos, keys(4), EVERYTHING)
    np.testing.assert_array_equal(together, augmented(photos, keys(4), EVERYTHING))
    reversed_ = augmented(photos[::-1], keys(4)[::-1], EVERYTHING)
    np.testing.assert_allclose(reversed_[::-1], together, atol=1e-5)
    others = augmented(photos, keys(4, seed=1), EVERYTHING)
    assert (np.abs(others - together).mean(axis=(1, 2, 3)) > 0.1).all()


def test_copies_of_one_photograph_are_augmented_each_in_its_own_way():
    copies = noise(1).repeat(4, axis=0)
    for amounts in (GEOMETRY, COLOUR):
        seen = augmented(copies, keys(4), amounts)
        assert len(np.unique(seen.reshape(4, -1), axis=0)) == 4
