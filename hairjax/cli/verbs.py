"""Table of verbs: purpose, flags with an example each, and example commands.

Functions are named as text and imported once a command is parsed.
"""

from typing import NamedTuple

from hairjax.system.program import RECIPE


class Flag(NamedTuple):
    """Flag of a verb: name, example value, and meaning.

    Attributes:
        default: default value; False for a switch, an int for whole numbers.
        choices: allowed values; () for any.
        needed: True if required.
    """

    name: str
    example: str
    text: str
    default: str | int | bool = ""
    choices: tuple[str, ...] = ()
    needed: bool = False


class Verb(NamedTuple):
    """Verb of the command line.

    Attributes:
        run: ``module.function`` in ``hairjax.cli``: parsed arguments → exit status; raises
            UserError.
        text: purpose; the first sentence is the line of the overview.
        examples: arguments of complete commands.
        flags: flags, without configuration keys.
        keys: True if ``--config.KEY=VALUE`` is accepted.
        takes: name of the positional arguments; "" for none.
        needs: description of the positional arguments if required.
    """

    run: str
    text: str
    examples: tuple[str, ...]
    flags: tuple[Flag, ...]
    keys: bool = False
    takes: str = ""
    needs: str = ""


def _config(text: str = "") -> Flag:
    more = "a Python file with get_config, here its variant demo; or a run's config.json"
    return Flag("config", f"{RECIPE}:demo", text or more, needed=True)


def _workdir(example: str, text: str) -> Flag:
    return Flag("workdir", example, f"{text}; by default in runs/, named after --config")


def _out(example: str, named: str) -> Flag:
    return Flag("out", example, f"output folder; by default in runs/, named after {named}")


def _masks(text: str) -> tuple[Flag, ...]:
    return (
        Flag("masks", "MASKS", text),
        Flag(
            "mask_value",
            "17",
            "value of hair in the masks, if not recognised: a number of a label map, a colour "
            "(#0000cc), soft or inverted",
        ),
        Flag("mask_name", "{name}_hair", "names of the masks, if ambiguous"),
        Flag("mask_category", "hair", "category of hair in annotations (.json)"),
    )


_MANIFEST = (
    Flag("manifest", "labels.csv", "CSV file of labels, instead of a folder per class"),
    Flag(
        "columns",
        "file=id,label=grade",
        "columns of the manifest, if not recognised",
    ),
    Flag("prefix", "/data/old/photos/", "prefix to remove from the paths of the manifest"),
)
_SUBJECT = Flag("subject", "/([a-z]+)_", "regular expression for the subject in a path")
_SPELLINGS = ("refuse", "merge", "apart")
_SPELLING = Flag(
    "spelling", "merge", "nearly equal names (P1, p01): refuse, merge or apart", "", _SPELLINGS
)
_MOVED = Flag(
    "moved",
    "/old=/new",
    "old and new prefix of moved photographs, masks or manifest of a run (several with commas); "
    "verified by checksum and stored in the run",
)
_RUN = Flag("workdir", "runs/top", "run directory", needed=True)
_FLIPS = Flag("flips", "", "average over each photograph and its mirror image", False)
_SPLITS = ("validation", "test")
_SPLIT = Flag(
    "split", "test", "validation (the default), or test (recorded)", "validation", _SPLITS
)
_OTHERS = (
    Flag("split", "test", "validation (the default), test or train"),
    Flag("photos", "PHOTOS", "other photographs, in a folder per class, instead of a split"),
    *_masks("masks; without --photos, other masks of the run's photographs"),
    *_MANIFEST,
    _SUBJECT,
    _SPELLING,
    _MOVED,
)
_BY = ("photograph", "subject")
_DERIVED = Flag("workdir", "runs/new", "output folder; by default in runs/, named after the runs")

VERBS = {
    "train": Verb(
        "training.run_train",
        "Train, keep the best epoch, write a report (the default verb). The same command resumes "
        "(docs/runs.md); every key of a configuration can be given (docs/configuration.md).",
        (
            f"--config={RECIPE}:demo",
            f"--config={RECIPE} --config.data.photos=PHOTOS --config.data.masks=MASKS",
            f"--config={RECIPE}:demo --config.optim.peak.late=3e-4 --workdir=runs/first",
        ),
        (_config(), _workdir("runs/first", "run directory"), _MOVED),
        keys=True,
    ),
    "check": Verb(
        "before_training.run_check",
        "Check photographs: unusable files, near-duplicates, leakage, odd masks. Writes check.html "
        "and check.csv; exit status 1 if training should not start.",
        ("--photos=PHOTOS --masks=MASKS",),
        (
            Flag("photos", "PHOTOS", "photographs, in a folder per class", needed=True),
            *_masks("masks"),
            *_MANIFEST,
            _SUBJECT,
            Flag("classes", "none,mild,severe", "classes in order, lowest first"),
            _SPELLING._replace(default="refuse"),
            Flag(
                "split",
                "split.csv",
                "a given split or a run's; or folders (train, valid, test with class folders); by "
                "default the manifest's column split, else the recipe's random split",
            ),
            _out("checked", "--photos"),
        ),
    ),
    "show": Verb(
        "before_training.run_show",
        "Show the data as the model sees it, the learning rates, and counts, before training.",
        (f"--config={RECIPE}:demo",),
        (_config(), _out("pictures", "--config")),
        keys=True,
    ),
    "rates": Verb(
        "before_training.run_rates",
        "Learning-rate range test: the loss over a rising rate (Smith 2017). A hundred steps, and "
        "the rates that fastai's rules valley and steepest choose.",
        (f"--config={RECIPE}:demo",),
        (_config(), _out("rates", "--config")),
        keys=True,
    ),
    "evaluate": Verb(
        "finished_runs.run_evaluate",
        "Evaluate a run's best model on a split of its photographs, or on others. Every access to "
        "test photographs is a line in the run's looks.csv.",
        ("--workdir=runs/top --split=test", "--workdir=runs/top --photos=PHOTOS --masks=MASKS"),
        (
            _RUN,
            *_OTHERS,
            _FLIPS._replace(text=f"{_FLIPS.text}; results in a separate folder (test-flips)"),
            Flag("out", "results", "output folder; by default in the run"),
        ),
    ),
    "report": Verb(
        "finished_runs.run_report",
        "Rewrite a run's report.html and figures from the files of the run. So does evaluate "
        "--split=test, with the results on test.",
        ("--workdir=runs/top",),
        (_RUN, _MOVED),
    ),
    "folds": Verb(
        "training.run_folds",
        "Cross-validation: train every fold, evaluate its held-out part, pool the predictions. "
        "The same command resumes.",
        (f"--config={RECIPE}:demo --config.data.folds=5",),
        (_config(), _workdir("runs/cv", "folder of the runs fold_0, fold_1 …"), _MOVED),
        keys=True,
    ),
    "predict": Verb(
        "finished_runs.run_predict",
        "Grade unlabelled photographs. Writes a CSV file: file, label (empty), predicted, and for "
        "every class probability_CLASS and calibrated_CLASS.",
        ("--workdir=runs/top new/ other/anna.jpg --masks=new_masks",),
        (
            _RUN,
            *_masks(
                "folder of masks under the photographs' relative paths (or names, for single "
                "photographs); or the mask of a single photograph"
            ),
            Flag("out", "predictions.csv", "CSV file to write", "predictions.csv"),
            Flag("pictures", "pages", "folder for pages of photographs with their predictions"),
            _FLIPS._replace(text=f"{_FLIPS.text}; calibrated after evaluate --flips on validation"),
            Flag("overwrite", "", "replace an existing file and pages", False),
        ),
        takes="PHOTO_OR_FOLDER",
        needs="photographs or folders of them",
    ),
    "compare": Verb(
        "finished_runs.run_compare",
        "Compare runs on the same photographs, with paired tests. The first is the reference; "
        "seeds of one configuration are pooled. A folder of folds counts as one run.",
        ("runs/top runs/rgb runs/again --split=test",),
        (
            _SPLIT._replace(text="validation (the default) or test, after evaluate --split=test"),
            _MOVED,
            _out("comparison", "the runs"),
            Flag("thumbnails", "false", "false: no pictures", "true", ("true", "false")),
        ),
        takes="RUN",
    ),
    "ensemble": Verb(
        "several_runs.run_ensemble",
        "Weighted mean of the predictions of runs. Fitted weights minimise the log-loss on "
        "validation; by subject, views of the same people are combined. compare, evaluate and "
        "predict take the result as a run. A folder of folds gives an ensemble of its models for "
        "new photographs.",
        ("runs/top runs/rgb runs/again", "runs/top runs/side --by=subject --weights=0.6,0.4"),
        (
            Flag("weights", "mean", "mean, a number for each run, or fitted (the default)"),
            Flag("by", "subject", "photograph or subject (other views)", _BY[0], _BY),
            _SPLIT,
            _MOVED,
            _DERIVED,
        ),
        takes="RUN",
    ),
    "soup": Verb(
        "several_runs.run_soup",
        "Mean of the parameters of runs (greedy model soup). Runs of one model, best first, each "
        "kept if validation gets no worse (soup.csv).",
        ("runs/top runs/again",),
        (_MOVED, _DERIVED),
        takes="RUN",
    ),
    "probe": Verb(
        "several_runs.run_probe",
        "Other classifiers on the frozen features of a run or of pretrained weights. Logistic "
        "regression, linear and RBF SVM, nearest neighbours; chosen on training photographs alone.",
        ("runs/top", f"--config={RECIPE}:demo"),
        (
            _config("instead of a run, with its pretrained weights")._replace(needed=False),
            _SPLIT,
            _MOVED,
            _DERIVED,
        ),
        keys=True,
        takes="RUN",
    ),
    "explain": Verb(
        "finished_runs.run_explain",
        "Explain a run's best model: Grad-CAM maps, and its reliance on the mask. Tables, figures, "
        "and a section of the report. Every access to test photographs is a line in looks.csv.",
        ("--workdir=runs/top",),
        (
            _RUN,
            *_OTHERS,
            Flag(
                "count",
                "100",
                "photographs for deletion and insertion; by default 32",
                32,
            ),
            Flag("stage", "-2", "stage of the maps (earlier: finer); by default the last", -1),
            Flag("out", "explained", "output folder, outside the report; by default in the run"),
        ),
    ),
    "convert": Verb(
        "convert.run_convert",
        "Convert pretrained weights, or a run's best, to one safetensors file. "
        "See docs/weights.md.",
        ("--weights=best.pth --model=swin_tiny_patch4_window7_224 --out=best.safetensors",),
        (
            Flag("weights", "best.pth", "a file, a folder, a run, or hf://owner/name", needed=True),
            Flag("model", "swin_small_patch4_window7_224", "model of the weights", needed=True),
            Flag("out", "best.safetensors", "file to write", needed=True),
            Flag("licence", "MIT", "licence of the weights; by default the source's"),
            Flag(
                "which",
                "ema",
                "of several models: raw, ema, auto (raw) or a name",
                "auto",
            ),
        ),
    ),
}
