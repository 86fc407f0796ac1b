"""CIFAR-10: a small Swin on RGB from scratch, for pretrained weights.

python launch.py --config=configs/cifar10.py --config.data.photos=CIFAR10/train
python launch.py evaluate --workdir=runs/cifar10 --photos=CIFAR10/test

One folder per class; images are enlarged to the input of the demo's Swin.
"""

from ml_collections import ConfigDict

from configs import top


def get_config() -> ConfigDict:
    """Eight epochs on 45,000 images, 5,000 for validation."""
    config = top.get_config()
    config.model.name = "swin_mini_patch4_window4_64"
    config.model.in_channels = 3
    config.model.dropout = config.model.drop_path = 0.0
    config.weights.source = "none"
    config.data.image_size = 48
    config.data.stored_size = 48
    config.data.fractions = (0.9, 0.1, 0.0)
    # CIFAR-10 contains near-duplicates (Barz and Denzler, "Do we train on test data?", 2020).
    config.data.on_leak = "allow"
    config.augment.rotation = 0.0
    config.augment.hue = 0.0
    config.augment.crop_scale = 0.6
    config.optim.peak.early = config.optim.peak.middle = config.optim.peak.late = 1e-3
    config.optim.warmup_epochs = 1
    config.optim.accumulate = 1
    config.train.batch_size = 64
    config.train.epochs = 8
    return config
