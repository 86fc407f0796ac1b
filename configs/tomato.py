"""Ageing tomatoes: 2,538 photographs in four ordered stages, with masks and subjects.

git clone https://github.com/skarifahmed/FGrade && python benchmarks/tomato.py FGrade tomato
python launch.py --config=configs/tomato.py            # split by subject
python launch.py --config=configs/tomato.py:mixed      # a split that ignores subjects, which leaks

A small Swin from scratch, sized to two CPU cores.
"""

from ml_collections import ConfigDict

from configs import top


def get_config(variant: str = "") -> ConfigDict:
    """Split by subject, or with ``variant="mixed"`` ignoring subjects.

    Raises:
        ValueError: unknown variant.
    """
    config = top.get_config()
    config.model.name = "swin_mini_patch4_window4_64"
    config.model.dropout = config.model.drop_path = 0.0
    config.weights.source = "none"
    config.data.photos = "tomato/photos"
    config.data.masks = "tomato/masks"
    config.data.subject = "/([A-Za-z]+)"  # leading letters of a file name: one tomato
    config.data.image_size = 48
    config.data.fractions = (0.6, 0.2, 0.2)
    # A tomato's colour tells its age.
    config.augment.brightness = config.augment.contrast = config.augment.saturation = 0.05
    config.augment.hue = 0.0
    config.optim.peak.early = config.optim.peak.middle = config.optim.peak.late = 5e-4
    config.optim.accumulate = 1
    config.train.batch_size = 16
    config.train.epochs = 40
    config.optim.warmup_epochs = 3
    if variant == "mixed":
        config.data.subject = ""
        config.data.on_leak = "allow"  # the point of this variant
    elif variant:
        raise ValueError(f"there is no variant {variant!r}; the variants are: mixed")
    return config
