"""CIFAR-10: a small Swin on RGB, from scratch, as weights for others to start from.

python launch.py --config=configs/cifar10.py --config.data.photos=CIFAR10/train
python launch.py evaluate --workdir=runs/cifar10 --photos=CIFAR10/test

The pictures lie in a folder per class. They are enlarged to what the demo's Swin sees.
"""

from ml_collections import ConfigDict

from hairjax.configs import top


def get_config() -> ConfigDict:
    """Eight epochs over 45,000 pictures; 5,000 choose the best."""
    config = top.get_config()
    config.model.name = "swin_mini_patch4_window4_64"
    config.model.in_channels = 3
    config.model.dropout = config.model.drop_path = 0.0
    config.weights.source = "none"
    config.data.image_size = 48
    config.data.stored_size = 48
    config.data.fractions = (0.9, 0.1, 0.0)
    # It was published with copies in it (Barz and Denzler, "Do we train on test data?", 2020), and
    # nothing is claimed from it here.
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
