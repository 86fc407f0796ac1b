#!/bin/sh
# orbax-checkpoint 0.12.8: an undefined metric is the best one, and the best checkpoint is deleted.
#
# The guess: with CheckpointManagerOptions(max_to_keep=1, best_fn=…) a checkpoint whose metric is
# NaN (the kappa of an epoch that says one class, say) is refused, or ranks below every number.
# Seen: checkpoints are sorted by best_fn with Python's own sort, in which every comparison with NaN
# is false, so that the order is that of saving. Of 0.5, 0.9, NaN the third is kept, called
# best_step, and the one with 0.9 is deleted; of 0.5, 0.9, NaN, 0.6 the last. Nothing is said.
# Where NaN comes first and more numbers follow, the best of them is kept.
# Sure to be right: a best_fn that gives -inf for NaN.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
  orbax-checkpoint==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/env/bin/python" - "$folder" <<'PROGRAM'
import math
import sys
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp

print("orbax-checkpoint", ocp.__version__)


def kept(metrics, best_fn):
    """Save a checkpoint for each metric; the metrics of those that are left."""
    place = Path(sys.argv[1]) / str(len(list(Path(sys.argv[1]).iterdir())))
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1, best_fn=best_fn, best_mode="max", enable_async_checkpointing=False
    )
    with ocp.CheckpointManager(place, options=options) as manager:
        for step, metric in enumerate(metrics):
            state = ocp.args.StandardSave({"weight": np.zeros(2)})
            manager.save(step, args=state, metrics={"kappa": metric})
        assert manager.all_steps() == [manager.best_step()]
        return metrics[manager.best_step()]


def plain(found):
    return found["kappa"]


def guarded(found):
    return -math.inf if math.isnan(found["kappa"]) else found["kappa"]


nan = math.nan
for metrics in ([0.5, 0.9, 0.6], [0.5, 0.9, nan], [0.5, 0.9, nan, 0.6], [nan, 0.5, 0.9, 0.6]):
    print(f"{metrics}: kept {kept(metrics, plain)}, guarded {kept(metrics, guarded)}")
    assert kept(metrics, guarded) == 0.9
lost = math.isnan(kept([0.5, 0.9, nan], plain)) and kept([0.5, 0.9, nan, 0.6], plain) == 0.6
assert lost, "orbax behaves otherwise now"
PROGRAM
