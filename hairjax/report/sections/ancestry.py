"""Leakage through pretrained weights: whether they were trained on held-out photographs."""

from hairjax.report.contents import Report

_HUB = "hf://"


def ancestry_sentences(report: Report) -> list[str]:
    """Sentences on validation and test photographs that the weights were trained on."""
    given = [weights.source for weights in (report.weights, report.second_weights) if weights]
    public = ", ".join(dict.fromkeys(source for source in given if source.startswith(_HUB)))
    ancestry, overlap = report.ancestry, report.overlap
    if ancestry is None or overlap is None:
        own = [source for source in given if not source.startswith(_HUB)]
        if own:
            return [
                f"Whether the weights ({own[0]}) were trained on validation or test photographs "
                "was not checked: an earlier version began the run."
            ]
        return _public(public)
    said = []
    if overlap.leaks:
        said.append(
            f"The split leaks through the weights: {overlap.describe()}; the results are "
            "optimistic."
        )
    elif ancestry.learnt:
        subjects = any(report.subjects.values()) and any(one.subjects for one in ancestry.learnt)
        said.append(
            f"The weights ({ancestry.runs}) were not trained on validation or test photographs"
            f"{' or their subjects' if subjects else ''}, by checksum; re-encoded copies of "
            "photographs outside this set were not searched for."
        )
    if overlap.selected:
        said.append(
            f"{overlap.selected:,} of the {overlap.held['test']:,} test photographs were used to "
            "choose the epoch of the weights."
        )
    said += [f"Earlier training data were not compared: {one}." for one in ancestry.untraced]
    return said + _public(public)


def _public(source: str) -> list[str]:
    return [f"The training photographs of the weights {source} are unknown."] if source else []
