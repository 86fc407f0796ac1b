"""From photographs to a table of metrics and a figure, through the Python API: a minute, two cores.

Run it whole from the checkout, ``python -m examples.walk``; or cell by cell in VS Code, or in
Jupyter with Jupytext, after ``pip install -e .``. It writes to the folder ``walk``.
"""

# %%
import csv
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

import hairjax
from hairjax.builders.validation import check_config
from hairjax.commands.check import check_photographs
from hairjax.config.recipe import default_config
from hairjax.data.synthetic import synthesise
from hairjax.runs.results import measure
from hairjax.runs.temperature import validation_predictions
from hairjax.training.train import train_run

# %% What to train on. For your own photographs give their folders here, and skip the next cell.
FOLDER = Path("walk")
PHOTOS, MASKS = FOLDER / "photos", FOLDER / "masks"
SUBJECT = r"/(s[0-9]+)_"  # finds "s0001" in "level_2/s0001_1.png"
COUNT, SIDE, EPOCHS = 600, 48, 12

# %% Synthetic photographs and their hair masks, 3 to 6 of each person, in a folder per class.
drawn = synthesise("top", COUNT, SIDE, seed=0, workers=2, progress=lambda done, total: None)
for image, file in zip(drawn.images, drawn.files, strict=True):
    for folder, pixels in ((PHOTOS, image[..., :3]), (MASKS, image[..., 3])):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

# %% The configuration: the recipe's defaults, but for a small model from scratch.
config = default_config()
config.data.photos, config.data.masks, config.data.subject = str(PHOTOS), str(MASKS), SUBJECT
config.data.image_size = SIDE
config.model.name = "swin_mini_patch4_window4_64"
config.model.dropout = config.model.drop_path = 0.0
config.weights.source = "none"  # for the recipe: leave out, and take its Swin-T
config.optim.peak.early = config.optim.peak.middle = config.optim.peak.late = 2e-3
config.optim.warmup_epochs = 2
config.optim.accumulate = 1
config.train.epochs = EPOCHS
check_config(config)

# %% Look through the photographs: copies, odd masks, how far a split leaks (walk/check/check.html).
check_photographs(config, FOLDER / "check")

# %% Train. The same call resumes a training that was stopped.
train_run(config, FOLDER / "run")

# %% The best epoch again, on photographs as one would get them: files, without labels.
run = hairjax.load_run(FOLDER / "run")
files = sorted(PHOTOS.rglob("*.png"))[:3]
new = run.predict(files, masks=[MASKS / file.relative_to(PHOTOS) for file in files])
for file, k, probabilities in zip(new.files, new.predicted, new.probabilities, strict=True):
    print(f"{file}: {run.classes[k]} ({probabilities[k]:.2f})")

# %% A table of the validation photographs. The epoch was chosen on them: the last word has the test
# set, which `launch.py evaluate --workdir=walk/run --split=test` opens, and records that it did.
predictions = validation_predictions(run)
results = measure(predictions)
rows = [
    (name, value, *(results.intervals[name] or ("", ""))) for name, value in results.metrics.items()
]
with (FOLDER / "metrics.csv").open("w", newline="") as stream:
    csv.writer(stream).writerows([("metric", "value", "low", "high"), *rows])
print(f"{len(predictions.files)} photographs, 95 % intervals ({results.interval_note})")
for name, value, low, high in rows:
    interval = f"({low:.3f} – {high:.3f})" if low != "" else ""
    print(f"{name:26} {'–' if value is None else f'{value:.3f}'} {interval}")

# %% The confusion matrix as a figure.
figure, axes = plt.subplots(figsize=(4, 3.5), layout="constrained")
axes.imshow(results.confusion, cmap="Blues")
for true, counts in enumerate(results.confusion):
    for predicted, count in enumerate(counts):
        axes.text(predicted, true, count, ha="center", va="center")
axes.set(xlabel="predicted", ylabel="true")
axes.set_xticks(range(len(run.classes)), run.classes)
axes.set_yticks(range(len(run.classes)), run.classes)
figure.savefig(FOLDER / "confusion.png", dpi=200)
