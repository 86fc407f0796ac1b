"""TOP: crown from above, four stages, Swin-T on RGB and hair mask, 100 epochs.

python launch.py --config=configs/top.py --config.data.photos=PHOTOS --config.data.masks=MASKS
python launch.py --config=configs/top.py:demo

Every key once, with default, meaning and limits; a new one is added here and where it is used.
Optional numbers are off at 0, optional texts when empty. Override any key on the command line:
--config.optim.peak.late=3e-4. A run's own config.json is a configuration too.
"""

from ml_collections import ConfigDict

from hairjax.config.schema import Key, Keys, Section, defaults

# ``least``, ``most``, ``choices``: limits. ``free``: may differ between a run and the command that
# resumes it ("resume"), also between the processes of a run ("process": locations on a machine).
# ``before``: value implied by runs older than the key.
KEYS: Keys = {
    "seed": Key(
        0,
        "seed of the split, the order of photographs, augmentation, dropout, initialisation",
        least=0,
        most=2**32 - 1,
    ),
    "model": {
        "name": Key("swin_tiny_patch4_window7_224", "model, by timm's name"),
        "in_channels": Key(
            6, "6: RGB and the mask three times; 3: RGB; 1: the mask", choices=(1, 3, 6)
        ),
        "second": Key("", "second model of a two-stream model; empty: none", before=""),
        "second_sees": Key(
            "same",
            "Input of the second model: same (as the first) | mask (only, and RGB only for the "
            "first) | view (the subject's other view, data.second_photos).",
            choices=("same", "mask", "view"),
            before="same",
        ),
        "fuse_after": Key(
            0,
            "Stages before the fusion of both maps, after which the first model continues; 0: "
            "fusion of the embeddings before the classifier.",
            least=0,
            before=0,
        ),
        "dropout": Key(0.2, "dropout rate in the head", least=0, most=0.99),
        "drop_path": Key(
            0.1, "stochastic-depth rate of the last block, rising from 0", least=0, most=0.99
        ),
        "hidden": Key((), "sizes of hidden layers in the head; original code: 256,"),
        "head": Key(
            "softmax",
            "last layer: softmax | cumulative | corn; the last two for ordered classes",
            choices=("softmax", "cumulative", "corn"),
            before="softmax",
        ),
        "mask_shifted": Key(
            True, "attention mask of Swin's shifted windows; original code: False", before=True
        ),
        "dtype": Key(
            "auto",
            "computation: auto (bfloat16 on GPU, TPU; else float32) | float32 | bfloat16",
            choices=("auto", "float32", "bfloat16"),
        ),
        "remat": Key(False, "rematerialise activations: less memory, more time"),
    },
    "weights": {
        "source": Key(
            "hf://timm/{model}.ms_in22k",
            "pretrained weights: hf://owner/name, a file, a folder, a run, or none; {model}: "
            "model.name",
            free="process",
        ),
        "second": Key("", "weights of model.second; empty: as source", free="process", before=""),
        "which": Key(
            "auto",
            "Parameters of a file with several models: raw | ema (averaged) | a component of "
            "their names, such as teacher | auto: raw, else averaged, with a message.",
            before="auto",
        ),
        "stem": Key("copy", "extra stem channels: copy | zero | mean | random_mask | random_all"),
    },
    "data": {
        "source": Key(
            "photos",
            "photos | synthetic | tfds:NAME (tensorflow-datasets)",
            choices=("photos", "synthetic", "tfds:NAME"),
        ),
        "view": Key("top", "view of synthetic photographs: top | side", choices=("top", "side")),
        "count": Key(3200, "number of synthetic photographs", least=40),
        "photos": Key(
            "",
            "Folder with a folder per class, or root of the manifest's paths; for tfds:NAME the "
            "folder of data sets (empty: tensorflow-datasets' own).",
            free="process",
        ),
        "masks": Key(
            "",
            "Folder with a mask under each photograph's relative path (may be the photographs' "
            "own), or annotations: .json of COCO, LabelMe or Label Studio.",
            free="process",
        ),
        "mask_value": Key(
            "",
            "Value of hair in masks: a number of a label map (17), a colour (#0000cc), soft "
            "(degrees of hair), inverted; empty: recognised for the whole set (0/1, 0/255, …).",
            before="",
        ),
        "mask_name": Key(
            "",
            "Names of masks: {name}_mask, mask_{name} ({file}: the photograph's name with its "
            "suffix); empty: recognised for the whole set.",
            free="resume",
            before="{name}",
        ),
        "mask_category": Key(
            "",
            "category of hair in annotations (COCO, LabelMe, Label Studio); empty: the only one",
            before="",
        ),
        "second_photos": Key(
            "",
            "Photographs of another view of the same subjects, with model.second_sees=view; "
            "synthetic ones show the view other than data.view.",
            free="process",
            before="",
        ),
        "second_masks": Key("", "masks of second_photos", free="process", before=""),
        "manifest": Key(
            "",
            "CSV file: file, label, optionally subject, mask, split, any others",
            free="process",
        ),
        "columns": Key(
            "",
            "Columns of the manifest: file=id_code,label=diagnosis (subject, mask, split; one per "
            "class: label=MEL|NV; none: split=); empty: recognised; exact: file, label, subject "
            "and mask by just these names, paths as written.",
            free="resume",
            before="exact",
        ),
        "prefix": Key(
            "",
            "Prefixes to remove from the manifest's paths: /data/old/photos/ (several with commas "
            "between).",
            free="process",
            before="",
        ),
        "subject": Key("", "regular expression for the subject in a photograph's relative path"),
        "classes": Key(
            "",
            "class names, comma-separated, lowest first; empty: order recognised from the names",
            before="",
        ),
        "spelling": Key(
            "refuse",
            "nearly equal names of classes or subjects: refuse | merge (into one) | apart",
            choices=("refuse", "merge", "apart"),
            free="resume",
            before="apart",
        ),
        "image_size": Key(0, "side of the model input; 0: the model's own", least=0, most=4096),
        "stored_size": Key(
            0, "side of the stored photographs; 0: 8/7 of image_size (224: 256)", least=0, most=4096
        ),
        "normalise": Key(
            "auto",
            "normalisation of RGB: imagenet | half | unit | auto (as for the weights)",
            choices=("auto", "imagenet", "half", "unit"),
            before="auto",
        ),
        "fit": Key(
            "squash",
            "squash (stretch to a square) | pad (preserve the aspect ratio)",
            choices=("squash", "pad"),
        ),
        "split": Key(
            "",
            "Given split: a CSV file (file, split) or a run's split.csv | folders (train, valid, "
            "test with class folders); empty: the manifest's column split, else random.",
            free="process",
        ),
        "fractions": Key((0.8, 0.1, 0.1), "shares of train, validation and test"),
        "folds": Key(
            0,
            "number of cross-validation folds, without the test part of a given split; 0: off",
            least=0,
            before=0,
        ),
        "fold": Key(0, "test fold, from 0; the next one is for validation", least=0, before=0),
        "balance": Key(
            "none",
            "class balancing: none | sample (equally often) | loss (weights)",
            choices=("none", "sample", "loss"),
            before="none",
        ),
        "on_bad": Key("refuse", "unusable photographs: refuse | skip", choices=("refuse", "skip")),
        "on_leak": Key(
            "refuse",
            "held-out photographs that are copies of training photographs, or training data of "
            "the weights: refuse | allow",
            choices=("refuse", "allow"),
            free="resume",
            before="allow",
        ),
        "on_conflict": Key(
            "refuse",
            "identical files in different classes: refuse | allow",
            choices=("refuse", "allow"),
            free="resume",
            before="allow",
        ),
        "cache": Key(
            "~/.cache/hairjax",
            "cache of decoded photographs; empty: none",
            free="process",
            before="",
        ),
        "beam": Key(
            "",
            "options of Apache Beam for decoding; empty: without Beam",
            free="process",
            before="",
        ),
        "memory": Key(
            0.0,
            "GiB for photographs in memory, streamed beyond; 0: half of the free memory",
            least=0,
            free="process",
            before=0.0,
        ),
    },
    "augment": {
        "rotation": Key(15.0, "degrees to either side", least=0, most=180),
        "flip": Key(0.5, "probability of a horizontal flip", least=0, most=1),
        "brightness": Key(0.2, "factor between 1 - x and 1 + x", least=0, most=1),
        "contrast": Key(0.2, "as brightness", least=0, most=1),
        "saturation": Key(0.2, "as brightness", least=0, most=1),
        "hue": Key(
            0.02,
            "largest shift to either side, as a share of the colour circle",
            least=0,
            most=0.5,
        ),
        "crop_scale": Key(
            0.8, "minimum share of the area in a random crop; 1: off", least=0.05, most=1
        ),
        "erase": Key(
            0.0,
            "probability of a blank rectangle in photograph and mask",
            least=0,
            most=1,
            before=0.0,
        ),
        "mixup": Key(0.0, "α of the Beta distribution; 0: off", least=0, before=0.0),
        "cutmix": Key(
            0.0,
            "α of the Beta distribution; 0: off. With mixup, each photograph gets one of both with "
            "equal probability.",
            least=0,
            before=0.0,
        ),
        "drop_view": Key(
            0.0, "probability of hiding one of two views", least=0, most=1, before=0.0
        ),
    },
    "optim": {
        "peak": Section(
            "Peak learning rate of each group; 0 freezes it.",
            {
                "early": Key(1e-5, "stem and first stage", least=0),
                "middle": Key(5e-5, "stages between", least=0),
                "late": Key(1e-3, "last stage and head", least=0),
            },
        ),
        "finetune": Key(
            "full",
            "Trained parts with a rate above 0: full | head | last:N (stages and head) | gradual | "
            "the first epoch of each part or group, as head:1,stages.3:4,middle:7.",
            before="full",
        ),
        "gradual": Key(
            (3, 3, 4),
            "epochs before each further stage is unfrozen; the last repeats",
            before=(3, 3, 4),
        ),
        "lora": Key(
            0,
            "Rank of LoRA on the matrices of attention and MLP; only the pairs and the head train; "
            "0: off.",
            least=0,
            before=0,
        ),
        "layer_decay": Key(
            1.0,
            "factor of the rate per layer below the head; 1: off",
            least=0.01,
            most=1,
            before=1.0,
        ),
        "start": Key(0.01, "initial share of the peak in warm-up", least=0, most=1),
        "warmup_epochs": Key(5, "epochs of warm-up; 0: none", least=0),
        "floor": Key(0.001, "final share of the peak after the cosine", least=0, most=1),
        "weight_decay": Key(0.01, "not on biases, norms and relative-position tables", least=0),
        "clip": Key(1.0, "maximum global gradient norm; 0: off", least=0),
        "accumulate": Key(
            0, "micro-batches per batch; 0: of 8 on a CPU without batch norm, else one", least=0
        ),
        "label_smoothing": Key(0.0, "label smoothing", least=0, most=0.99),
        "ema": Key(
            0.0,
            "decay of the EMA of the parameters, used for evaluation; 0: off",
            least=0,
            most=0.999999,
            before=0.0,
        ),
    },
    "train": {
        "epochs": Key(100, "epochs over the training photographs", least=1),
        "patience": Key(
            0,
            "Epochs without improvement by keep.best_by before early stopping, counted once all "
            "parts train; the schedule still spans all epochs; 0: off.",
            least=0,
            before=0,
        ),
        "batch_size": Key(32, "photographs per step, over all devices", least=1),
        "log_every": Key(10, "steps between reports of the loss", least=1, free="resume"),
    },
    "keep": {
        "best_by": Key(
            "accuracy",
            "validation metric: accuracy | quadratic_kappa | macro_f1 | loss",
            choices=("accuracy", "quadratic_kappa", "macro_f1", "loss"),
        ),
    },
    "devices": {
        "mesh": Key(0, "devices on the data axis of the mesh; 0: all", least=0, free="resume"),
        "shard": Key(
            1,
            "devices on the model axis, which shards parameters and optimizer state",
            least=1,
            free="resume",
            before=1,
        ),
        "coordinator": Key(
            "",
            "host:port of process 0; empty: from the launcher",
            free="process",
            before="",
        ),
        "processes": Key(
            0,
            "number of processes; 0: from the launcher, else one",
            least=0,
            free="process",
            before=0,
        ),
        "process": Key(
            -1,
            "index of this process, from 0; -1: from the launcher",
            least=-1,
            free="process",
            before=-1,
        ),
        "compiled": Key(
            "~/.cache/hairjax/compiled",
            "compilation cache; empty: none",
            free="process",
            before="",
        ),
    },
    "report": {
        "gallery": Key(
            12,
            "errors pictured in report.html; 0: no photographs in it",
            least=0,
            most=1000,
            free="resume",
            before=0,
        ),
    },
    "log": {
        "tensorboard": Key(
            False,
            "TensorBoard events in the run directory; needs tensorboardX",
            free="resume",
            before=False,
        ),
    },
}


def get_config(variant: str = "") -> ConfigDict:
    """The recipe, or with ``variant="demo"`` a small version on synthetic photographs.

    Raises:
        ValueError: unknown variant.
    """
    config = defaults(KEYS)
    if variant == "demo":
        demo(config)
    elif variant:
        raise ValueError(f"there is no variant {variant!r}; the variants are: demo")
    return config


def demo(config: ConfigDict) -> None:
    """Set a small Swin from scratch on synthetic photographs: two minutes on two CPU cores."""
    config.model.name = "swin_mini_patch4_window4_64"
    # No regularisation: twenty epochs from scratch.
    config.model.dropout = config.model.drop_path = 0.0
    config.weights.source = "none"
    config.data.source = "synthetic"
    config.data.count = 1600
    config.data.image_size = 48
    config.optim.peak.early = config.optim.peak.middle = config.optim.peak.late = 2e-3
    config.optim.warmup_epochs = 2
    config.optim.accumulate = 1
    config.train.epochs = 20
