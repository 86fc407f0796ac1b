"""Training Swin as PyTorch trains timm's: same weights and photographs, same losses."""

import jax
import numpy as np
import safetensors.torch
import timm
import torch
from flax import nnx

import hairjax
from benchmarks.training_step import CLASSES, STEPS, training_step
from configs import top
from hairjax.builders.inputs import input_specification
from hairjax.data.inputs import model_inputs
from hairjax.optim.groups import make_groups
from hairjax.optim.schedules import make_schedules
from hairjax.parallel.mesh import make_mesh

TINY = "swin_tiny_patch4_window7_224"
TAKEN = 12  # steps
SIDE = 112  # a quarter of the work of 224, and maps that are padded
LIMIT = 1e-4  # largest difference of two losses over the first of them


def configuration():
    """The recipe without what is drawn, at rates with which few steps learn."""
    config = top.get_config()
    config.model.update(name=TINY, dropout=0.0, drop_path=0.0)
    config.data.image_size, config.data.stored_size = SIDE, 128
    config.train.batch_size, config.optim.warmup_epochs = 8, 0
    config.optim.peak.late = 1e-4
    for key in config.augment:
        config.augment[key] = 1.0 if key == "crop_scale" else 0.0
    return config


def photographs():
    """Two batches of noise, lighter from class to class."""
    generator = np.random.default_rng(0)
    labels = generator.permuted(np.tile(np.arange(CLASSES, dtype=np.int32), 4)).reshape(2, 8)
    light = 1 + labels[..., None, None, None]
    noise = generator.integers(0, 64, (2, 8, 128, 128, 4))
    return (noise * light).astype(np.uint8), labels


def our_losses(config, model, photos, labels):
    """The losses of the step that training compiles."""
    built = training_step(config, make_mesh(1, 1))
    params = nnx.to_pure_dict(nnx.state(model))
    state, losses = built.begin()._replace(params=params), []
    for step in range(TAKEN):
        batch = photos[step % 2], labels[step % 2]
        state, loss = built.run(state, *jax.device_put(batch, (built.photos.sharding,) * 2))
        losses.append(float(loss))
    return losses


def their_losses(config, model, photos, labels):
    """The losses of PyTorch's AdamW, with our rates and what we do not decay."""
    groups = make_groups(config.optim, 4, config.train.epochs)
    rates = make_schedules(config.optim, groups, config.train.epochs, STEPS)
    kinds = [(name, decay) for name in groups for decay in (0.0, config.optim.weight_decay)]
    members = {kind: [] for kind in kinds}
    for name, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and not name.endswith("bias_table")
        members[group_of(name), config.optim.weight_decay * decays].append(parameter)
    adamw = torch.optim.AdamW(
        [{"params": members[kind], "weight_decay": kind[1]} for kind in kinds], lr=0.0
    )
    seen = jax.jit(lambda batch: model_inputs(batch, None, None, input_specification(config)))
    losses = []
    for step in range(TAKEN):
        for (name, _), group in zip(kinds, adamw.param_groups, strict=True):
            group["lr"] = float(rates[name](step))
        images = torch.from_numpy(np.array(seen(photos[step % 2]))).permute(0, 3, 1, 2)
        targets = torch.from_numpy(labels[step % 2]).long()
        loss = torch.nn.functional.cross_entropy(model(images), targets)
        adamw.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.optim.clip)
        adamw.step()
        losses.append(loss.item())
    return losses


def group_of(name):
    """The recipe's group of a parameter of timm's."""
    if name.startswith(("patch_embed", "layers.0")):
        return "early"
    return "middle" if name.startswith(("layers.1", "layers.2")) else "late"


def test_the_losses_of_swin_are_timms(tmp_path):
    config, (photos, labels) = configuration(), photographs()
    torch.manual_seed(0)
    theirs = timm.create_model(
        TINY, in_chans=6, num_classes=CLASSES, drop_path_rate=0.0, img_size=SIDE
    ).train()
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    path = str(tmp_path / "model.safetensors")
    ours = hairjax.create_model(TINY, in_channels=6, image_size=SIDE, weights=path)
    found = np.array(our_losses(config, ours, photos, labels))
    expected = np.array(their_losses(config, theirs, photos, labels))
    difference = np.abs(found - expected).max() / expected[0]
    print(f"\nlosses {expected[0]:.3f} … {expected[-1]:.3f}: {difference:.1e}")
    assert expected[-1] < 0.5 * expected[0]
    assert difference < LIMIT
