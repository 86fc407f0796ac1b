"""SIDE: hairline from the side, four stages; otherwise as TOP.

python launch.py --config=configs/side.py --config.data.photos=PHOTOS --config.data.masks=MASKS
python launch.py --config=configs/side.py:demo
"""

from ml_collections import ConfigDict

from configs import top


def get_config(variant: str = "") -> ConfigDict:
    """The recipe for SIDE, or with ``variant="demo"`` its small version."""
    config = top.get_config(variant)
    config.data.view = "side"
    if not variant:
        config.data.count = 2800
    return config
