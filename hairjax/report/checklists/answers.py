"""Answers to checklist items from the files of a run."""

from collections.abc import Mapping
from typing import Any

from hairjax.data.inputs import NORMALISATIONS, InputSpecification
from hairjax.data.split import SPLITS
from hairjax.report.checklists.items import Answer
from hairjax.report.checklists.results import result_answers
from hairjax.report.contents import Report
from hairjax.report.sections.ancestry import ancestry_sentences
from hairjax.system.wording import counted

_DISJOINT = {
    True: "Subject: no subject and no two identical files are in two partitions.",
    False: "Photograph: subjects are unknown; only identical files are kept together.",
}
_COPIES = (
    "Near-duplicates of training photographs (re-encoded, resized, mirrored or rotated) were "
    "searched for in validation and test"
)
_STREAMS = ("first", "second")
_CHANNELS = {6: "RGB and the hair mask, repeated to three channels", 3: "RGB", 1: "the hair mask"}
# By `data.balance`.
_BALANCE = {
    "none": "No weighting or resampling: each photograph at most once per epoch.",
    "sample": "Training photographs were sampled so that every class is equally frequent.",
    "loss": "Classes were weighted in the loss by their inverse frequency in training.",
}


def checklist_answers(report: Report) -> dict[str, Answer]:
    """Answers by the keys of the checklists."""
    return (
        _data_answers(report)
        | _partition_answers(report)
        | _model_answers(report)
        | _training_answers(report)
        | _use_answers(report)
        | result_answers(report)
    )


def _data_answers(report: Report) -> dict[str, Answer]:
    data, counts = report.config["data"], _counts(report)
    skips = data["on_bad"] == "skip" and data["source"] != "synthetic"
    excluded = (
        "Unusable files were excluded (data.on_bad=skip)."
        if skips
        else "No photograph was excluded: an unusable one stops the run."
    )
    number = "the number excluded, which the start of the run reports" if skips else ""
    preprocessing = _preprocessing(report)
    classes = ", ".join(report.classes)
    return {
        "source": Answer(
            f"{report.source}: {counts}.", "description, representativeness", "photographs"
        ),
        "excluded": Answer(excluded, "inclusion criteria of the data set"),
        "subset": Answer(f"{excluded} No other selection.", number),
        "missing": Answer(f"{excluded} Nothing was imputed.", number),
        "counts": Answer(f"{counts}. {excluded}", "earlier exclusions", "photographs"),
        "preprocessing": Answer(preprocessing),
        "preprocessing_alike": Answer(preprocessing, "whether alike across demographic groups"),
        "privacy": Answer(
            "Pixels, file name, class and subject are stored; no EXIF metadata, no GPS position.",
            "de-identification of the data set",
        ),
        "classes": Answer(
            f"{len(report.classes)} ordered classes: {classes}.", "definitions, annotators"
        ),
    }


def _counts(report: Report) -> str:
    return "; ".join(f"{report.size(split)} for {split}" for split in SPLITS)


def _preprocessing(report: Report) -> str:
    fit = (
        "resized to a square" if report.config["data"]["fit"] == "squash" else "padded to a square"
    )
    side = report.input_spec.side
    seen = f"EXIF orientation applied, {fit}, {side} × {side} pixels"
    return f"{'; '.join([seen, *_normalisations(report.input_spec)])}."


def _normalisations(input_spec: InputSpecification) -> list[str]:
    """RGB normalisation of every model that has RGB input, in words."""
    found = []
    for channels, name, stream in zip(
        input_spec.channels, input_spec.normalise, _STREAMS, strict=False
    ):
        mean, deviation = NORMALISATIONS[name]
        scaled = f"RGB in [0, 1] minus mean {mean}, divided by standard deviation {deviation}"
        if channels != 1:
            found.append(f"{scaled} for the {stream} model" if input_spec.channels[1:] else scaled)
    return found


def _partition_answers(report: Report) -> dict[str, Answer]:
    data, counts = report.config["data"], _counts(report)
    known = any(report.subjects.values())
    given = report.split_source or data["split"] or data["source"].startswith("tfds:")
    method = "how it was made" if given else ""
    return {
        "partition": Answer(_partition(report), method, "photographs"),
        "disjoint": Answer(
            " ".join([_disjoint(report), _copies(data), *ancestry_sentences(report)]),
            "whether a person may be in two partitions" if report.without_subject else "",
        ),
        "size": Answer(f"{counts}.", "rationale", "photographs"),
        "analyses": Answer(f"{counts}.", section="photographs"),
        "characteristics": Answer(
            "Photographs of each class in each partition.",
            "demographics: age, sex, skin and hair type",
            "photographs",
        ),
        "differences": Answer(
            "The split was given." if given else "All partitions are random samples of one source.",
            method,
        ),
        "clusters": Answer(
            "Intervals are clustered by subject."
            if known
            else "Not considered: subjects are unknown.",
            "centres, cameras, observers",
        ),
    }


def _partition(report: Report) -> str:
    data, seed = report.config["data"], report.config["seed"]
    shares = " / ".join(f"{100 * share:g}" for share in data["fractions"])
    unit = "subject" if any(report.subjects.values()) else "photograph"
    if data["folds"]:
        made = (
            f"Fold {data['fold']} of {data['folds']}, random by {unit}, stratified by class "
            f"(seed {seed})."
        )
    elif report.split_source or data["split"]:
        made = f"As given by {report.split_source or data['split']}."
    elif data["source"].startswith("tfds:"):
        made = f"The data set's own; missing splits are random by {unit} (seed {seed})."
    else:
        made = f"Random by {unit}, stratified by class, {shares} % (seed {seed})."
    return f"{made} split.csv lists every file with its SHA-256."


def _disjoint(report: Report) -> str:
    known = any(report.subjects.values())
    said = _DISJOINT[known]
    if report.without_subject and known:
        said += f" The subject of {counted(report.without_subject, 'photograph')} is unknown."
    return said


def _copies(data: Mapping[str, Any]) -> str:
    """Outcome of the search for near-duplicates before training, in words."""
    if data["source"] == "synthetic":
        return "Each photograph was synthesised independently."
    if data["on_leak"] == "allow":
        return f"{_COPIES} and allowed (data.on_leak=allow); the start of the run counted them."
    return f"{_COPIES}; a certain one would have stopped the run."


def _model_answers(report: Report) -> dict[str, Answer]:
    start = report.starts[-1]
    model = report.config["model"]
    channels = _CHANNELS[model["in_channels"]]
    if model["second"] and model["second_sees"] == "mask":
        channels = "RGB for the first model and the hair mask for the second"
    inputs = f"{channels}, {report.input_spec.side} × {report.input_spec.side} pixels"
    versions = ", ".join(f"{name} {version}" for name, version in start.versions.items())
    return {
        "technology": Answer(f"Deep learning: {report.model}.", "the title"),
        "inputs": Answer(f"{inputs}.", "rationale, acquisition"),
        "model": Answer(
            f"{report.model} on {inputs}; {len(report.classes)} outputs; {start.parameters:,} "
            "parameters.",
            section="groups",
        ),
        "output": Answer(
            f"Probabilities of {len(report.classes)} classes; the most probable is predicted. No "
            "threshold was chosen."
        ),
        "software": Answer(f"{versions}.", section="reproducibility"),
        "initial": Answer(_initial(report), section="reproducibility"),
    }


def _initial(report: Report) -> str:
    weights, stem = report.weights, report.config["weights"]["stem"]
    if weights is None:
        return "Random initialisation."
    digest = f" (SHA-256 {weights.sha256[:12]}…)" if weights.sha256 else ""
    model = report.config["model"]
    channels = model["in_channels"]
    rule = f"; stem adapted to {channels} channels by the rule {stem}" if channels != 3 else ""
    if model["second"]:
        second = report.second_weights
        rule = f"; second model from {second.source if second else 'random initialisation'}"
    return f"From {weights.source}{digest}{rule}."


def _training_answers(report: Report) -> dict[str, Answer]:
    config, recipe = report.config, report.config["optim"]
    epochs = str(config["train"]["epochs"])
    if report.ended_early:
        epochs = f"{report.history[-1]['epoch']} of {epochs}"
    peaks = ", ".join(f"{group} {rate:g}" for group, rate in recipe["peak"].items())
    return {
        "training": Answer(
            f"AdamW for {epochs} epochs, batch size {config['train']['batch_size']}, warm-up and "
            f"cosine decay, peak learning rates {peaks}, optim.finetune {recipe['finetune']}, "
            f"weight decay {recipe['weight_decay']:g}, seed {config['seed']}; the configuration "
            "has every setting, augmentation included.",
            "how hyperparameters were chosen",
            "reproducibility",
        ),
        "imbalance": Answer(_BALANCE[config["data"]["balance"]]),
        "selection": Answer(
            f"Best epoch by {report.best_by_name} on validation: {report.best_epoch} of {epochs}.",
            section="training",
        ),
        "ensemble": Answer(
            f"None: one model, an exponential moving average (decay {recipe['ema']:g})."
            if recipe["ema"]
            else "None: one model."
        ),
    }


def _use_answers(report: Report) -> dict[str, Answer]:
    commit = report.starts[-1].commit
    code = f"Commit {commit}" if commit else "Code outside a git repository"
    return {
        "predictions": Answer(
            "Best epoch's model, no test-time augmentation, as by launch.py evaluate and predict."
        ),
        "code": Answer(
            f"{code}, configuration in config.json.", "where code, model and data are available"
        ),
        "details": Answer("config.json, split.csv and groups.txt of the run.", "the protocol"),
        "specification": Answer(
            "The run directory has the model; launch.py convert exports it as one file.",
            "where it is available, and its licence",
        ),
        "poor_input": Answer(
            "launch.py predict reports unreadable files and grades the rest.",
            "readable photographs of poor quality",
        ),
    }
