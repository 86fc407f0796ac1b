"""TOP: the crown seen from above, four stages, Swin-T on RGB and hair mask, 100 epochs.

python launch.py --config=configs/top.py --config.data.photos=PHOTOS --config.data.masks=MASKS
python launch.py --config=configs/top.py:demo

Every key stands here once, with its default, what it means and what it may be; a new one is added
here and where it is used. An optional number is off at 0, an optional text when empty. Any key can
be overridden on the command line: --config.optim.peak.late=3e-4. A run's own config.json is a
configuration too.
"""

from ml_collections import ConfigDict

from hairjax.config.schema import Key, Keys, Section, defaults

# Of a key: ``least``, ``most`` or ``choices`` limit its value; ``free`` says what may differ
# between a run and the command that resumes it ("resume"), or between the processes of a run too
# ("process": where things lie on a machine); ``before`` is what runs meant that had no such key.
KEYS: Keys = {
    "seed": Key(
        0,
        "of the split, the order of photographs, augmentation, dropout, new weights",
        least=0,
        most=2**32 - 1,
    ),
    "model": {
        "name": Key("swin_tiny_patch4_window7_224", "the model, named as timm names it"),
        "in_channels": Key(
            6, "6: RGB and the mask three times; 3: RGB; 1: the mask", choices=(1, 3, 6)
        ),
        "second": Key("", "another model beside it, their features joined; empty: none", before=""),
        "second_sees": Key(
            "same",
            "What that sees: same (as the first) | mask (alone, and the first RGB alone) | view "
            "(the subject's other view, data.second_photos).",
            choices=("same", "mask", "view"),
            before="same",
        ),
        "fuse_after": Key(
            0,
            "Stages after which the second's map joins the first's, which goes on alone; 0: at "
            "the end, where both embeddings are classified as one.",
            least=0,
            before=0,
        ),
        "dropout": Key(0.2, "in the head", least=0, most=0.99),
        "drop_path": Key(
            0.1, "stochastic depth of the last block, rising from 0", least=0, most=0.99
        ),
        "hidden": Key((), "sizes of hidden layers in the head; the original code has 256,"),
        "head": Key(
            "softmax",
            "softmax | cumulative | corn; the last two for ordered classes",
            choices=("softmax", "cumulative", "corn"),
            before="softmax",
        ),
        "mask_shifted": Key(
            True, "opposite borders unseen by each other; original code: False", before=True
        ),
        "dtype": Key(
            "auto",
            "auto (bfloat16 on GPU, TPU; else float32) | float32 | bfloat16",
            choices=("auto", "float32", "bfloat16"),
        ),
        "remat": Key(False, "recompute activations backward: less memory, more time"),
    },
    "weights": {
        "source": Key(
            "hf://timm/{model}.ms_in22k",
            "hf://owner/name, a file, a folder, a run, or none; {model} stands for model.name",
            free="process",
        ),
        "second": Key("", "likewise, of model.second; empty: as source", free="process", before=""),
        "which": Key(
            "auto",
            "Which parameters of a file that holds several: raw | ema (averaged) | the name of "
            "their place, such as teacher | auto: raw, else averaged, and said.",
            before="auto",
        ),
        "stem": Key("copy", "copy | zero | mean | random_mask | random_all"),
    },
    "data": {
        "source": Key(
            "photos",
            "photos | synthetic | tfds:NAME, a set of tensorflow-datasets",
            choices=("photos", "synthetic", "tfds:NAME"),
        ),
        "view": Key("top", "what synthetic photographs show: top | side", choices=("top", "side")),
        "count": Key(3200, "how many synthetic photographs", least=40),
        "photos": Key(
            "",
            "A folder per class in it, or what the manifest's paths start from; for tfds:NAME the "
            "folder of data sets, or empty for the one tensorflow-datasets uses.",
            free="process",
        ),
        "masks": Key(
            "",
            "A folder with a mask under each photograph's relative path (it can be that of the "
            "photographs), or annotations: .json of COCO, LabelMe or Label Studio.",
            free="process",
        ),
        "mask_value": Key(
            "",
            "Of masks, what is hair: a number in a label map (17), a colour (#0000cc), soft "
            "(degrees of hair), inverted; empty: recognised for the whole set (0/1, 0/255, …).",
            before="",
        ),
        "mask_name": Key(
            "",
            "How masks are named: {name}_mask, mask_{name} ({file}: the photograph's name with its "
            "suffix); empty: told for the whole set.",
            free="resume",
            before="{name}",
        ),
        "mask_category": Key(
            "",
            "of annotations (COCO, LabelMe, Label Studio), the category that is hair; empty: told "
            "where there is one",
            before="",
        ),
        "second_photos": Key(
            "",
            "As photos, of another view of the same subjects, with model.second_sees=view; "
            "synthetic ones are drawn of the view that data.view is not.",
            free="process",
            before="",
        ),
        "second_masks": Key("", "as masks, of second_photos", free="process", before=""),
        "manifest": Key(
            "",
            "a CSV file: file, label, optionally subject, mask, split, any others",
            free="process",
        ),
        "columns": Key(
            "",
            "Which column of the manifest says what: file=id_code,label=diagnosis (subject, mask, "
            "split; one per class: label=MEL|NV; none: split=); empty: recognised; exact: file, "
            "label, subject and mask by just these names, paths as written.",
            free="resume",
            before="exact",
        ),
        "prefix": Key(
            "",
            "What the manifest's paths begin with and photos or masks have not: /data/old/photos/ "
            "(several with commas between).",
            free="process",
            before="",
        ),
        "subject": Key("", "a regular expression: whose photograph, from its relative path"),
        "classes": Key(
            "",
            "names of the classes with commas between, the lowest first; empty: their order is "
            "told from the names",
            before="",
        ),
        "spelling": Key(
            "refuse",
            "classes or people whose names are nearly equal: refuse | merge (are one) | apart",
            choices=("refuse", "merge", "apart"),
            free="resume",
            before="apart",
        ),
        "image_size": Key(0, "side of what the model sees; 0: the model's own", least=0, most=4096),
        "stored_size": Key(
            0, "side of what is kept in memory; 0: 8/7 of image_size (224: 256)", least=0, most=4096
        ),
        "normalise": Key(
            "auto",
            "of RGB: imagenet | half | unit | auto: as the weights had it",
            choices=("auto", "imagenet", "half", "unit"),
            before="auto",
        ),
        "fit": Key(
            "squash",
            "squash (every side to the square) | pad (keep the aspect)",
            choices=("squash", "pad"),
        ),
        "split": Key(
            "",
            "A split of your own: a CSV file (file, split) or a run's split.csv | folders: class "
            "folders lie in train, valid, test; empty: the manifest's column split, else drawn.",
            free="process",
        ),
        "fractions": Key((0.8, 0.1, 0.1), "of train, validation and test"),
        "folds": Key(
            0,
            "equal parts, of which one tests, of all but the test part of a split of your own; 0: "
            "off",
            least=0,
            before=0,
        ),
        "fold": Key(
            0, "which of them tests, from 0; the next is for validation", least=0, before=0
        ),
        "balance": Key(
            "none",
            "of classes: none | sample (equally often) | loss (weights)",
            choices=("none", "sample", "loss"),
            before="none",
        ),
        "on_bad": Key(
            "refuse", "a photograph that cannot be used: refuse | skip", choices=("refuse", "skip")
        ),
        "on_leak": Key(
            "refuse",
            "held-out copies of training photographs, or such as the weights learnt from: refuse | "
            "allow",
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
            "where decoded photographs are kept; empty: nowhere",
            free="process",
            before="",
        ),
        "beam": Key(
            "",
            "Apache Beam's options, for it to decode photographs; empty: without",
            free="process",
            before="",
        ),
        "memory": Key(
            0.0,
            "GiB that photographs may take, else streamed; 0: half of the free",
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
            "shift of at most this share of the colour circle to either side",
            least=0,
            most=0.5,
        ),
        "crop_scale": Key(
            0.8, "smallest share of the area that a random crop keeps; 1: off", least=0.05, most=1
        ),
        "erase": Key(
            0.0,
            "probability of a blank rectangle in photograph and mask",
            least=0,
            most=1,
            before=0.0,
        ),
        "mixup": Key(
            0.0, "α of the blend of each photograph with another; 0: off", least=0, before=0.0
        ),
        "cutmix": Key(
            0.0,
            "α of the size of a box of another photograph laid on each; 0: off. With mixup too, "
            "each photograph has one of them, either as likely.",
            least=0,
            before=0.0,
        ),
        "drop_view": Key(
            0.0, "of two views: probability that one of them is hidden", least=0, most=1, before=0.0
        ),
    },
    "optim": {
        "peak": Section(
            "Highest learning rate of each part; 0 freezes it.",
            {
                "early": Key(1e-5, "stem and first stage", least=0),
                "middle": Key(5e-5, "stages between", least=0),
                "late": Key(1e-3, "last stage and head", least=0),
            },
        ),
        "finetune": Key(
            "full",
            "What trains, where its rate is not 0: full | head | last:N (stages and head) | "
            "gradual | the first epoch of each part or group, as head:1,stages.3:4,middle:7.",
            before="full",
        ),
        "gradual": Key(
            (3, 3, 4), "epochs before each further stage trains; the last repeats", before=(3, 3, 4)
        ),
        "lora": Key(
            0,
            "Rank of LoRA's pairs beside matrices of attention and MLP: in the stages only they "
            "train, and the head; 0: off.",
            least=0,
            before=0,
        ),
        "layer_decay": Key(
            1.0,
            "rate of a block: × this for each layer up to the head; 1: off",
            least=0.01,
            most=1,
            before=1.0,
        ),
        "start": Key(0.01, "share of the peak at which warm-up begins", least=0, most=1),
        "warmup_epochs": Key(5, "until every rate is at its peak; 0: no warm-up", least=0),
        "floor": Key(0.001, "share of the peak at which the cosine ends", least=0, most=1),
        "weight_decay": Key(0.01, "not on biases, norms and relative-position tables", least=0),
        "clip": Key(1.0, "largest norm of the whole gradient; 0: off", least=0),
        "accumulate": Key(
            0, "micro-batches of a batch; 0: of 8 on a CPU if no batch norm, else one", least=0
        ),
        "label_smoothing": Key(
            0.0, "share of a label's weight that is spread over all classes", least=0, most=0.99
        ),
        "ema": Key(
            0.0,
            "decay of averaged weights, which are then judged and kept; 0: off",
            least=0,
            most=0.999999,
            before=0.0,
        ),
    },
    "train": {
        "epochs": Key(100, "times that every training photograph is seen", least=1),
        "patience": Key(
            0,
            "Epochs in a row, of those in which every part trains, without a better one by "
            "keep.best_by, after which training ends early; the schedule stays that of all "
            "epochs; 0: off.",
            least=0,
            before=0,
        ),
        "batch_size": Key(32, "photographs in each step, over all devices", least=1),
        "log_every": Key(10, "steps between looks at the loss", least=1, free="resume"),
    },
    "keep": {
        "best_by": Key(
            "accuracy",
            "accuracy | quadratic_kappa | macro_f1 | loss",
            choices=("accuracy", "quadratic_kappa", "macro_f1", "loss"),
        ),
    },
    "devices": {
        "mesh": Key(
            0, "devices that share each batch, times shard; 0: all", least=0, free="resume"
        ),
        "shard": Key(
            1,
            "devices over which parameters and optimizer state are cut",
            least=1,
            free="resume",
            before=1,
        ),
        "coordinator": Key(
            "",
            "host:port of process 0 of several; empty: the launcher's",
            free="process",
            before="",
        ),
        "processes": Key(
            0,
            "how many processes; 0: as the launcher says, else one",
            least=0,
            free="process",
            before=0,
        ),
        "process": Key(
            -1,
            "which of them this is, from 0; -1: as the launcher says",
            least=-1,
            free="process",
            before=-1,
        ),
        "compiled": Key(
            "~/.cache/hairjax/compiled",
            "compiled programs; empty: nowhere",
            free="process",
            before="",
        ),
    },
    "report": {
        "gallery": Key(
            12,
            "mistakes pictured in report.html; 0: no photograph in it at all",
            least=0,
            most=1000,
            free="resume",
            before=0,
        ),
    },
    "log": {
        "tensorboard": Key(
            False,
            "events too, in the run's directory; needs tensorboardX",
            free="resume",
            before=False,
        ),
    },
}


def get_config(variant: str = "") -> ConfigDict:
    """The recipe, or with ``variant="demo"`` a small version of it on synthetic photographs."""
    config = defaults(KEYS)
    if variant == "demo":
        demo(config)
    elif variant:
        raise ValueError(f"there is no variant {variant!r}; the variants are: demo")
    return config


def demo(config: ConfigDict) -> None:
    """Synthetic photographs and a small Swin from scratch: two minutes on two CPU cores."""
    config.model.name = "swin_mini_patch4_window4_64"
    # From scratch and for twenty epochs: nothing that slows learning.
    config.model.dropout = config.model.drop_path = 0.0
    config.weights.source = "none"
    config.data.source = "synthetic"
    config.data.count = 1600
    config.data.image_size = 48
    config.optim.peak.early = config.optim.peak.middle = config.optim.peak.late = 2e-3
    config.optim.warmup_epochs = 2
    config.optim.accumulate = 1
    config.train.epochs = 20
