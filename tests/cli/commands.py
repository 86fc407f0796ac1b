"""What commands of the tests begin with."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = f"--config={ROOT}/configs/top.py"
DEMO = f"{TOP}:demo"
PHOTOS = f"{TOP} --config.data.photos=photos --config.data.masks=masks"
MINI = "swin_mini_patch4_window4_64"
FROM_SCRATCH = f"{PHOTOS} --config.weights.source=none"
