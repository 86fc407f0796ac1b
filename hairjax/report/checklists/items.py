"""Two published checklists for papers on models such as these, item by item.

The numbers are the published ones, the words are ours: CLAIM, 2024 update (Tejani et al.,
Radiology: Artificial Intelligence 6(4), 2024, e240300), 44 items; TRIPOD+AI (Collins et al., BMJ
385, 2024, e078378), 27 items with their parts. ``answer`` names what a run may know of an item
(`answers.checklist_answers`); "" where only a person can answer.
"""

from typing import NamedTuple


class Item(NamedTuple):
    """An item of a checklist."""

    number: str
    asks: str
    answer: str = ""


class Answer(NamedTuple):
    """Answer to an item.

    Attributes:
        text: the answer, to be put into an author's words.
        lacks: details a person must add; "" for none.
        section: the name of the page's section that has more; "" for none.
    """

    text: str
    lacks: str = ""
    section: str = ""


class Checklist(NamedTuple):
    """A published checklist."""

    name: str
    source: str
    items: tuple[Item, ...]


CLAIM = Checklist(
    "CLAIM, 2024 update",
    "Tejani et al., Radiology: Artificial Intelligence 6(4), 2024, e240300",
    (
        Item("1", "Title or abstract: a study of AI, and of which kind", "technology"),
        Item("2", "Abstract: design, methods, results, conclusions"),
        Item("3", "Background; what the AI is meant for"),
        Item("4", "Aims and hypotheses"),
        Item("5", "Prospective or retrospective"),
        Item("6", "Goal of the study"),
        Item("7", "Where the data come from", "source"),
        Item("8", "Who and what was included and excluded", "excluded"),
        Item("9", "Preprocessing", "preprocessing"),
        Item("10", "Choice of a part of the data", "subset"),
        Item("11", "De-identification", "privacy"),
        Item("12", "Missing data", "missing"),
        Item("13", "How the photographs were taken"),
        Item("14", "Reference standard: how it was obtained", "classes"),
        Item("15", "Reference standard: why this one"),
        Item("16", "Reference standard: who annotated"),
        Item("17", "How the test set was annotated"),
        Item("18", "Agreement between and within annotators"),
        Item("19", "How data were divided", "division"),
        Item("20", "At which level the parts are disjoint", "disjoint"),
        Item("21", "Size of the test set, and why", "size"),
        Item("22", "The model in detail", "model"),
        Item("23", "Software", "software"),
        Item("24", "Initial parameters", "initial"),
        Item("25", "Training in detail", "training"),
        Item("26", "How the final model was chosen", "choice"),
        Item("27", "Ensembles", "ensemble"),
        Item("28", "Metrics", "metrics"),
        Item("29", "Significance and uncertainty", "uncertainty"),
        Item("30", "Robustness, sensitivity", "robustness"),
        Item("31", "Explanation of predictions", "explanation"),
        Item("32", "Evaluation on internal data", "internal"),
        Item("33", "Testing on external data"),
        Item("34", "Registration of a clinical trial"),
        Item("35", "How many were included and excluded", "counts"),
        Item("36", "Characteristics of each part", "characteristics"),
        Item("37", "Performance with its uncertainty", "performance"),
        Item("38", "Diagnostic performance and its precision", "by_class"),
        Item("39", "What it gets wrong", "failures"),
        Item("40", "Limitations"),
        Item("41", "Meaning for practice"),
        Item("42", "Protocol or further technical details", "details"),
        Item("43", "Availability of software, model, data", "code"),
        Item("44", "Funding and the part of funders"),
    ),
)

TRIPOD = Checklist(
    "TRIPOD+AI, 2024",
    "Collins et al., BMJ 385, 2024, e078378",
    (
        Item("1", "Title: development or evaluation, population, outcome"),
        Item("2", "Abstract, by the checklist for abstracts"),
        Item("3a", "Background: healthcare context and reasons"),
        Item("3b", "Background: whom it is for, and its users"),
        Item("3c", "Background: known inequalities"),
        Item("4", "Objectives"),
        Item("5a", "Data: sources, and how representative", "source"),
        Item("5b", "Data: dates"),
        Item("6a", "Participants: setting and centres"),
        Item("6b", "Participants: who was eligible", "excluded"),
        Item("6c", "Participants: treatments"),
        Item("7", "Preparation and checks of the data", "preprocessing_alike"),
        Item("8a", "Outcome: definition and assessment", "classes"),
        Item("8b", "Outcome: who assessed it"),
        Item("8c", "Outcome: blinding"),
        Item("9a", "Predictors: choice", "inputs"),
        Item("9b", "Predictors: definition and measurement", "inputs"),
        Item("9c", "Predictors: who assessed them"),
        Item("10", "Sample size, and why", "size"),
        Item("11", "Missing data", "missing"),
        Item("12a", "Analysis: how the data were used", "division"),
        Item("12b", "Analysis: how predictors were handled", "preprocessing"),
        Item("12c", "Analysis: model, building, internal validation", "training"),
        Item("12d", "Analysis: heterogeneity between clusters", "clusters"),
        Item("12e", "Analysis: measures and plots", "metrics"),
        Item("12f", "Analysis: updating of the model", "updating"),
        Item("12g", "Analysis: how predictions were calculated", "predictions"),
        Item("13", "Class imbalance", "imbalance"),
        Item("14", "Fairness"),
        Item("15", "Output of the model", "output"),
        Item("16", "Differences between development and evaluation data", "differences"),
        Item("17", "Ethical approval and consent"),
        Item("18a", "Open science: funding"),
        Item("18b", "Open science: conflicts of interest"),
        Item("18c", "Open science: protocol"),
        Item("18d", "Open science: registration"),
        Item("18e", "Open science: data"),
        Item("18f", "Open science: code", "code"),
        Item("19", "Involvement of patients and the public"),
        Item("20a", "Results: flow of participants", "counts"),
        Item("20b", "Results: characteristics of participants", "characteristics"),
        Item("20c", "Results: evaluation against development data", "characteristics"),
        Item("21", "Results: numbers in each analysis", "analyses"),
        Item("22", "Results: the full model", "specification"),
        Item("23a", "Results: performance with intervals, by subgroup", "performance_parts"),
        Item("23b", "Results: heterogeneity between clusters"),
        Item("24", "Results: updating of the model", "updating"),
        Item("25", "Interpretation, fairness included"),
        Item("26", "Limitations"),
        Item("27a", "Use: poor or missing input", "poor_input"),
        Item("27b", "Use: what users must do and know"),
        Item("27c", "Use: further research"),
    ),
)
