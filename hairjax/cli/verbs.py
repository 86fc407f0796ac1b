"""The verbs of the command line: what each does, its flags with an example of each, and examples.

What a verb runs is named as text: it is imported when a command is understood.
"""

from typing import NamedTuple

from hairjax.system.program import RECIPE


class Flag(NamedTuple):
    """One flag of a verb: its name, an example of a value, and its meaning.

    Attributes:
        default: the value where none is given; False makes a switch, an int takes whole numbers.
        choices: the values it can have; none: any.
        needed: refuse a command without it.
    """

    name: str
    example: str
    text: str
    default: str | int | bool = ""
    choices: tuple[str, ...] = ()
    needed: bool = False


class Verb(NamedTuple):
    """One verb.

    Attributes:
        run: module and function that run it, in ``hairjax.cli``.
        text: what it does; its first sentence is its line of the overview.
        examples: its arguments in complete commands.
        flags: all but the keys of a configuration.
        keys: takes ``--config.KEY=VALUE``.
        takes: name of the arguments that are no flags; "": there are none.
        needs: these in words, where one is needed.
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
    return Flag("out", example, f"where to write; by default in runs/, named after {named}")


def _masks(text: str) -> tuple[Flag, ...]:
    return (
        Flag("masks", "MASKS", text),
        Flag(
            "mask_value",
            "17",
            "what is hair in them, where it is neither recognised nor as in the run's own: a "
            "number in a label map, a colour (#0000cc), soft or inverted",
        ),
        Flag("mask_name", "{name}_hair", "how they are named, where several names fit"),
        Flag("mask_category", "hair", "which category of annotations (.json) is hair"),
    )


_MANIFEST = (
    Flag("manifest", "labels.csv", "their labels, where the folders in --photos do not tell"),
    Flag("columns", "file=id,label=grade", "which column of it says what, where names do not tell"),
    Flag("prefix", "/data/old/photos/", "what its paths begin with and --photos has not"),
)
_SUBJECT = Flag("subject", "/([a-z]+)_", "a regular expression that finds the subject in a path")
_SPELLINGS = ("refuse", "merge", "apart")
_SPELLING = Flag(
    "spelling", "merge", "names nearly equal (P1, p01): refuse, merge or apart", "", _SPELLINGS
)
_MOVED = Flag(
    "moved",
    "/old=/new",
    "photographs, masks or manifest of a run have moved: what their paths began with, and begin "
    "with now; several with commas between. Compared by checksum and kept: told once",
)
_RUN = Flag("workdir", "runs/top", "the run", needed=True)
_FLIPS = Flag("flips", "", "the mean over each photograph and its mirror image", False)
_SPLITS = ("validation", "test")
_SPLIT = Flag(
    "split", "test", "validation (the default), or test, which is recorded", "validation", _SPLITS
)
_OTHERS = (
    Flag("split", "test", "validation (the default), test or train"),
    Flag("photos", "PHOTOS", "other photographs, in a folder per class, instead of a split"),
    *_masks("their masks; without --photos, those of the run's"),
    *_MANIFEST,
    _SUBJECT,
    _SPELLING,
    _MOVED,
)
_BY = ("photograph", "subject")
_DERIVED = Flag("workdir", "runs/new", "where to write; by default in runs/, named after the runs")

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
        (_config(), _workdir("runs/first", "the run's directory"), _MOVED),
        keys=True,
    ),
    "check": Verb(
        "before_training.run_check",
        "Look through photographs: what is wrong, what is there twice. Writes check.html and "
        "check.csv; exit status 1 where something should stop a training.",
        ("--photos=PHOTOS --masks=MASKS",),
        (
            Flag("photos", "PHOTOS", "photographs, in a folder per class", needed=True),
            *_masks("their masks"),
            *_MANIFEST,
            _SUBJECT,
            Flag("classes", "none,mild,severe", "the classes in order, the lowest first"),
            _SPELLING._replace(default="refuse"),
            Flag(
                "split",
                "split.csv",
                "a split of your own or a run's; or folders: class folders are in train, valid and "
                "test; by default the manifest's column split, else the one the recipe would draw",
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
            _FLIPS._replace(text=f"{_FLIPS.text}, in a folder of its own (test-flips)"),
            Flag("out", "results", "where to write; by default in the run"),
        ),
    ),
    "report": Verb(
        "finished_runs.run_report",
        "Write a run's report.html and its figures again, from the files of the run. evaluate "
        "--split=test does so too, and adds the results on test.",
        ("--workdir=runs/top",),
        (_RUN, _MOVED),
    ),
    "folds": Verb(
        "training.run_folds",
        "Cross-validation: train every fold, evaluate what each held out, join the predictions. "
        "The same command resumes.",
        (f"--config={RECIPE}:demo --config.data.folds=5",),
        (_config(), _workdir("runs/cv", "holds a run in fold_0, fold_1 …"), _MOVED),
        keys=True,
    ),
    "predict": Verb(
        "finished_runs.run_predict",
        "Grade photographs that have no labels. Writes a CSV file: file, label (empty), predicted, "
        "and of every class probability_CLASS and calibrated_CLASS.",
        ("--workdir=runs/top new/ other/anna.jpg --masks=new_masks",),
        (
            _RUN,
            *_masks(
                "masks, under a photograph's path in the folder given (or its name, where it is "
                "given itself); or the mask of a single one"
            ),
            Flag("out", "predictions.csv", "the file to write", "predictions.csv"),
            Flag("pictures", "pages", "a folder for pages of photographs with their predictions"),
            _FLIPS._replace(
                text=f"{_FLIPS.text}; calibrated once evaluate --flips has been on validation"
            ),
            Flag("overwrite", "", "replace the file, and the pages, that are there", False),
        ),
        takes="PHOTO_OR_FOLDER",
        needs="photographs or folders of them",
    ),
    "compare": Verb(
        "finished_runs.run_compare",
        "Compare runs on the same photographs, with paired tests. Each with the first; seeds of "
        "one configuration together. A folder of folds counts as one run.",
        ("runs/top runs/rgb runs/again --split=test",),
        (
            _SPLIT._replace(text="validation (the default) or test, once evaluate has been there"),
            _MOVED,
            _out("comparison", "the runs"),
            Flag("thumbnails", "false", "false: no pictures", "true", ("true", "false")),
        ),
        takes="RUN",
    ),
    "ensemble": Verb(
        "several_runs.run_ensemble",
        "Weighted mean of the predictions of runs. Fitted weights have the least log-loss on "
        "validation; by subject, views of the same people are joined, each graded by the runs that "
        "have it. compare, evaluate and predict take the result as a run. Of one folder of folds: "
        "its models, for new photographs.",
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
        "Where a run's best model looks, and how much it relies on the mask. Tables, figures, and "
        "a section of the report. Every access to test photographs is a line in looks.csv.",
        ("--workdir=runs/top",),
        (
            _RUN,
            *_OTHERS,
            Flag("count", "100", "photographs for deletion and insertion; by default 32", 32),
            Flag("stage", "-2", "of the maps: an earlier one is finer; by default the last", -1),
            Flag("out", "explained", "where to write, not for the report; by default in the run"),
        ),
    ),
    "convert": Verb(
        "convert.run_convert",
        "Write pretrained weights, or a run's best, as one file that loads at once. "
        "See docs/weights.md.",
        ("--weights=best.pth --model=swin_tiny_patch4_window7_224 --out=best.safetensors",),
        (
            Flag("weights", "best.pth", "a file, a folder, a run, or hf://owner/name", needed=True),
            Flag("model", "swin_small_patch4_window7_224", "their model", needed=True),
            Flag("out", "best.safetensors", "the file to write", needed=True),
            Flag("licence", "MIT", "of the weights; by default what the source says"),
            Flag("which", "ema", "of several models: raw, ema, auto (raw) or a name", "auto"),
        ),
    ),
}
