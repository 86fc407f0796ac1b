"""Answers of a run to the items of a checklist."""

from collections.abc import Mapping
from typing import Any

from hairjax.data.inputs import NORMALISATIONS, InputSpecification
from hairjax.data.split import SPLITS
from hairjax.report.checklists.evaluation import of_evaluation
from hairjax.report.checklists.items import Answer
from hairjax.report.contents import Report
from hairjax.report.sections.ancestry import ancestry_sentences
from hairjax.report.sections.summary import amount
from hairjax.system.wording import counted

_DISJOINT = {
    True: "The subject: no subject and no two identical files are in two parts.",
    False: "The photograph: subjects are not known; only identical files are kept together.",
}
_COPIES = (
    "Copies of training photographs (encoded anew, made smaller, mirrored or turned) were looked "
    "for in validation and test"
)
_STREAMS = ("first", "second")
_CHANNELS = {6: "RGB and the hair mask, three times", 3: "RGB", 1: "the hair mask"}


def checklist_answers(report: Report) -> dict[str, Answer]:
    """Answers by the names that `checklist` gives its items."""
    return (
        _of_photographs(report)
        | _of_division(report)
        | _of_model(report)
        | _of_training(report)
        | _of_use(report)
        | of_evaluation(report)
    )


def _of_photographs(report: Report) -> dict[str, Answer]:
    data, counts = report.config["data"], _counts(report)
    skips = data["on_bad"] == "skip" and data["source"] != "synthetic"
    excluded = (
        "Files that could not be used were left out (data.on_bad=skip)."
        if skips
        else "No photograph was left out: one that cannot be used stops the run."
    )
    named = "how many were left out; the start of the run names them" if skips else ""
    preprocessing = _preprocessing(report)
    classes = ", ".join(report.classes)
    return {
        "source": Answer(
            f"{report.source}: {counts}.", "what it is, and how representative", "photographs"
        ),
        "excluded": Answer(excluded, "the criteria by which the set was made"),
        "subset": Answer(f"{excluded} Nothing else was chosen.", named),
        "missing": Answer(f"{excluded} Nothing was imputed.", named),
        "counts": Answer(f"{counts}. {excluded}", "those excluded before", "photographs"),
        "preprocessing": Answer(preprocessing),
        "preprocessing_alike": Answer(preprocessing, "whether alike in all groups of people"),
        "privacy": Answer(
            "Of a photograph its pixels, name, class and subject are kept: no EXIF, no position.",
            "how the set itself was de-identified",
        ),
        "classes": Answer(
            f"{len(report.classes)} ordered classes: {classes}.", "what they mean, who gave them"
        ),
    }


def _counts(report: Report) -> str:
    return "; ".join(f"{amount(report, split)} for {split}" for split in SPLITS)


def _preprocessing(report: Report) -> str:
    fit = "squashed to a square" if report.config["data"]["fit"] == "squash" else "padded to one"
    side = report.input_spec.side
    seen = f"Turned as EXIF says, {fit}, {side} × {side} pixels seen by the model"
    return f"{'; '.join([seen, *_normalisations(report.input_spec)])}."


def _normalisations(input_spec: InputSpecification) -> list[str]:
    """Normalisation of RGB, in words, for every model that sees it."""
    found = []
    for channels, name, whose in zip(
        input_spec.channels, input_spec.normalise, _STREAMS, strict=False
    ):
        mean, deviation = NORMALISATIONS[name]
        scaled = f"RGB in [0, 1] less a mean of {mean}, over a deviation of {deviation}"
        if channels != 1:
            found.append(f"{scaled} for the {whose} model" if input_spec.channels[1:] else scaled)
    return found


def _of_division(report: Report) -> dict[str, Answer]:
    data, counts = report.config["data"], _counts(report)
    known = any(report.subjects.values())
    given = report.division or data["split"] or data["source"].startswith("tfds:")
    return {
        "division": Answer(_division(report), "how it was made" if given else "", "photographs"),
        "disjoint": Answer(
            " ".join([_disjoint(report), _copies(data), *ancestry_sentences(report)]),
            "whether a person may be in two parts" if report.without_subject else "",
        ),
        "size": Answer(f"{counts}.", "how the size was chosen", "photographs"),
        "analyses": Answer(f"{counts}.", section="photographs"),
        "characteristics": Answer(
            "Photographs of each class in each part.", "people: age, sex, skin, hair", "photographs"
        ),
        "differences": Answer(
            "The division was given, not drawn."
            if given
            else "All parts come from one source and were divided at random.",
            "how it was made" if given else "",
        ),
        "clusters": Answer(
            "Intervals count subjects, not photographs."
            if known
            else "None was considered: subjects are not known.",
            "centres, cameras, observers",
        ),
    }


def _division(report: Report) -> str:
    data, seed = report.config["data"], report.config["seed"]
    shares = " / ".join(f"{100 * share:g}" for share in data["fractions"])
    unit = "subject" if any(report.subjects.values()) else "photograph"
    if data["folds"]:
        drawn = (
            f"Fold {data['fold']} of {data['folds']}, drawn at random by {unit}, stratified by "
            f"class (seed {seed})."
        )
    elif report.division or data["split"]:
        drawn = f"As given by {report.division or data['split']}."
    elif data["source"].startswith("tfds:"):
        drawn = f"As the data set brings it; what it lacks is drawn by {unit} (seed {seed})."
    else:
        drawn = f"At random by {unit}, stratified by class, {shares} % (seed {seed})."
    return f"{drawn} Every file with its SHA-256 is in split.csv."


def _disjoint(report: Report) -> str:
    said = _DISJOINT[any(report.subjects.values())]
    if report.without_subject and any(report.subjects.values()):
        said += f" Of {counted(report.without_subject, 'photograph')} the subject is not known."
    return said


def _copies(data: Mapping[str, Any]) -> str:
    """Result of the search for copies before the first step, in words."""
    if data["source"] == "synthetic":
        return "Each photograph was drawn anew."
    if data["on_leak"] == "allow":
        return f"{_COPIES} and let pass (data.on_leak=allow); the start of the run told of them."
    return f"{_COPIES}; a certain one would have stopped the run."


def _of_model(report: Report) -> dict[str, Answer]:
    start = report.starts[-1]
    model = report.config["model"]
    channels = _CHANNELS[model["in_channels"]]
    if model["second"] and model["second_sees"] == "mask":
        channels = "RGB to the first model and the hair mask to the second"
    inputs = f"{channels}, {report.input_spec.side} × {report.input_spec.side} pixels"
    versions = ", ".join(f"{name} {version}" for name, version in start.versions.items())
    return {
        "technology": Answer(f"Deep learning: {report.model}.", "the title"),
        "inputs": Answer(f"{inputs}.", "why these, and how they were made"),
        "model": Answer(
            f"{report.model} on {inputs}; {len(report.classes)} outputs; {start.parameters:,} "
            "parameters.",
            section="groups",
        ),
        "output": Answer(
            f"Probabilities of {len(report.classes)} classes; the likeliest is predicted. No "
            "threshold was chosen."
        ),
        "software": Answer(f"{versions}.", section="setting"),
        "initial": Answer(_initial(report), section="setting"),
    }


def _initial(report: Report) -> str:
    weights, stem = report.weights, report.config["weights"]["stem"]
    if weights is None:
        return "Drawn at random."
    digest = f" (SHA-256 {weights.sha256[:12]}…)" if weights.sha256 else ""
    model = report.config["model"]
    channels = model["in_channels"]
    rule = f"; the stem took {channels} channels by the rule {stem}" if channels != 3 else ""
    if model["second"]:
        second = report.second_weights
        rule = f"; the second model from {second.source}" if second else "; the second model drawn"
    return f"From {weights.source}{digest}{rule}."


# What `data.balance` does.
BALANCE = {
    "none": "Nothing was weighted or resampled: each photograph at most once per epoch.",
    "sample": "Training photographs were sampled so that every class is equally frequent.",
    "loss": "Every class was weighted in the loss by the inverse of its frequency in training.",
}


def _of_training(report: Report) -> dict[str, Answer]:
    config, recipe = report.config, report.config["optim"]
    epochs = str(config["train"]["epochs"])
    if report.ended_early:
        epochs = f"{report.history[-1]['epoch']} of {epochs}"
    peaks = ", ".join(f"{group} {rate:g}" for group, rate in recipe["peak"].items())
    return {
        "training": Answer(
            f"AdamW for {epochs} epochs of batches of {config['train']['batch_size']}, warm-up and "
            f"cosine, highest rates {peaks}, optim.finetune {recipe['finetune']}, weight decay "
            f"{recipe['weight_decay']:g}, seed {config['seed']}; every setting, augmentation "
            "included, is in the configuration.",
            "how the settings were chosen",
            "setting",
        ),
        "imbalance": Answer(BALANCE[config["data"]["balance"]]),
        "choice": Answer(
            f"The epoch that was best by {report.chosen_by} on validation: {report.best_epoch} of "
            f"{epochs}.",
            section="training",
        ),
        "ensemble": Answer(
            f"None: one model, of weights averaged over its training (decay {recipe['ema']:g})."
            if recipe["ema"]
            else "None: one model."
        ),
    }


def _of_use(report: Report) -> dict[str, Answer]:
    commit = report.starts[-1].commit
    code = f"Commit {commit}" if commit else "The code, in no git repository"
    return {
        "predictions": Answer(
            "By the best epoch's model on the photograph as it is, without augmentation; "
            "launch.py evaluate and predict do so."
        ),
        "code": Answer(
            f"{code}, with the configuration in config.json.", "where code, model and data are"
        ),
        "details": Answer("config.json, split.csv and groups.txt of the run.", "the protocol"),
        "specification": Answer(
            "The run's folder holds the model; launch.py convert writes it as one file.",
            "where it is, on which conditions",
        ),
        "poor_input": Answer(
            "launch.py predict names what it cannot read and grades the rest.",
            "photographs that can be read and are poor",
        ),
    }
