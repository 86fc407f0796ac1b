"""TOP: the crown seen from above, four stages, Swin-T on RGB and hair mask, 100 epochs.

python launch.py --config=configs/top.py --config.data.photos=PHOTOS --config.data.masks=MASKS
python launch.py --config=configs/top.py:demo

An optional number is off at 0, an optional text when empty. Any key can be overridden on the
command line: --config.optim.peak.late=3e-4. A run's own config.json is a configuration too.
"""

from ml_collections import ConfigDict


def get_config(variant: str = "") -> ConfigDict:
    """The recipe, or with ``variant="demo"`` a small version of it on synthetic photographs."""
    config = ConfigDict(
        {
            "seed": 0,  # of the split, the order of photographs, augmentation, dropout, new weights
            "model": {
                "name": "swin_tiny_patch4_window7_224",  # the model, named as timm names it
                "in_channels": 6,  # 6: RGB and the mask three times; 3: RGB; 1: the mask
                "second": "",  # another model beside it, their features joined; empty: none
                # What that sees: same (as the first) | mask (alone, and the first RGB alone) | view
                # (the subject's other view, data.second_photos).
                "second_sees": "same",
                # Stages after which the second's map joins the first's, which goes on alone; 0: at
                # the end, where both embeddings are classified as one.
                "fuse_after": 0,
                "dropout": 0.2,  # in the head
                "drop_path": 0.1,  # stochastic depth of the last block, rising from 0
                "hidden": (),  # sizes of hidden layers in the head; the original code has 256,
                "head": "softmax",  # softmax | cumulative | corn; the last two for ordered classes
                "mask_shifted": True,  # opposite borders unseen by each other; original code: False
                "dtype": "auto",  # auto (bfloat16 on GPU, TPU; else float32) | float32 | bfloat16
                "remat": False,  # recompute activations backward: less memory, more time
            },
            "weights": {
                # hf://owner/name, a file, a folder, a run, or none; {model} stands for model.name
                "source": "hf://timm/{model}.ms_in22k",
                "second": "",  # likewise, of model.second; empty: as source
                "stem": "copy",  # copy | zero | mean | random_mask | random_all
            },
            "data": {
                "source": "photos",  # photos | synthetic | tfds:NAME, a set of tensorflow-datasets
                "view": "top",  # what synthetic photographs show: top | side
                "count": 3200,  # how many synthetic photographs
                # A folder per class in it, or what the manifest's paths start from; for tfds:NAME
                # the folder of data sets, or empty for the one tensorflow-datasets uses.
                "photos": "",
                "masks": "",  # a folder with a mask under each photograph's relative path
                # As photos, of another view of the same subjects, with model.second_sees=view;
                # synthetic ones are drawn of the view that data.view is not.
                "second_photos": "",
                "second_masks": "",  # as masks, of second_photos
                "manifest": "",  # a CSV file: file, label, optionally subject, mask, any others
                "subject": "",  # a regular expression: whose photograph, from its relative path
                "image_size": 0,  # side of what the model sees; 0: the model's own
                "stored_size": 0,  # side of what is kept in memory; 0: 8/7 of image_size (224: 256)
                "normalise": "auto",  # of RGB: imagenet | half | unit | auto: as the weights had it
                "fit": "squash",  # squash (every side to the square) | pad (keep the aspect)
                "split": "",  # a split.csv to reuse
                "fractions": (0.8, 0.1, 0.1),  # of train, validation and test
                "folds": 0,  # instead of all other splits: equal parts, of which one tests; 0: off
                "fold": 0,  # which of them tests, from 0; the next is for validation
                "balance": "none",  # of classes: none | sample (equally often) | loss (weights)
                "on_bad": "refuse",  # a photograph that cannot be used: refuse | skip
                "on_leak": "refuse",  # copies of training photographs held out: refuse | allow
                "cache": "~/.cache/hairjax",  # where decoded photographs are kept; empty: nowhere
                "beam": "",  # Apache Beam's options, for it to decode photographs; empty: without
                "memory": 0.0,  # GiB that photographs may take, else streamed; 0: half of the free
            },
            "augment": {
                "rotation": 15.0,  # degrees to either side
                "flip": 0.5,  # probability of a horizontal flip
                "brightness": 0.2,  # factor between 1 - x and 1 + x
                "contrast": 0.2,  # as brightness
                "saturation": 0.2,  # as brightness
                "hue": 0.02,  # shift of at most this share of the colour circle to either side
                "crop_scale": 0.8,  # smallest share of the area that a random crop keeps; 1: off
                "erase": 0.0,  # probability of a blank rectangle in photograph and mask
                "mixup": 0.0,  # α of the blend of each photograph with another; 0: off
                # α of the size of a box of another photograph laid on each; 0: off. With mixup too,
                # each photograph has one of them, either as likely.
                "cutmix": 0.0,
                "drop_view": 0.0,  # of two views: probability that one of them is hidden
            },
            "optim": {
                # Highest learning rate of each part; 0 freezes it.
                "peak": {
                    "early": 1e-5,  # stem and first stage
                    "middle": 5e-5,  # stages between
                    "late": 1e-3,  # last stage and head
                },
                # What trains, where its rate is not 0: full | head | last:N (stages and head) |
                # gradual | the first epoch of each part or group, as head:1,stages.3:4,middle:7.
                "finetune": "full",
                "gradual": (3, 3, 4),  # epochs before each further stage trains; the last repeats
                # Rank of LoRA's pairs beside matrices of attention and MLP: in the stages only they
                # train, and the head; 0: off.
                "lora": 0,
                "layer_decay": 1.0,  # rate of a block: × this for each layer up to the head; 1: off
                "start": 0.01,  # share of the peak at which warm-up begins
                "warmup_epochs": 5,  # until every rate is at its peak; 0: no warm-up
                "floor": 0.001,  # share of the peak at which the cosine ends
                "weight_decay": 0.01,  # not on biases, norms and relative-position tables
                "clip": 1.0,  # largest norm of the whole gradient; 0: off
                "accumulate": 0,  # parts of a batch; 0: of 8 on a CPU if no batch norm, else one
                "label_smoothing": 0.0,  # share of a label's weight that is spread over all classes
                "ema": 0.0,  # decay of averaged weights, which are then judged and kept; 0: off
            },
            "train": {
                "epochs": 100,  # times that every training photograph is seen
                "batch_size": 32,  # photographs in each step, over all devices
                "log_every": 10,  # steps between looks at the loss
            },
            "keep": {
                "best_by": "accuracy",  # accuracy | quadratic_kappa | macro_f1 | loss
            },
            "devices": {
                "mesh": 0,  # devices that share each batch, times shard; 0: all
                "shard": 1,  # devices over which parameters and optimizer state are cut
                "coordinator": "",  # host:port of process 0 of several; empty: the launcher's
                "processes": 0,  # how many processes; 0: as the launcher says, else one
                "process": -1,  # which of them this is, from 0; -1: as the launcher says
                "compiled": "~/.cache/hairjax/compiled",  # compiled programs; empty: nowhere
            },
            "report": {
                "gallery": 12,  # mistakes pictured in report.html; 0: no photograph in it at all
            },
            "log": {
                "tensorboard": False,  # events too, in the run's directory; needs tensorboardX
            },
        }
    )
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
