"""What the weights of a run had learnt from before it began, in sentences."""

from hairjax.report.contents import Report

_HUB = "hf://"


def ancestry_sentences(report: Report) -> list[str]:
    """Whether photographs held out had trained the weights; nothing where these were drawn."""
    given = [weights.source for weights in (report.weights, report.second_weights) if weights]
    public = ", ".join(dict.fromkeys(source for source in given if source.startswith(_HUB)))
    ancestry, overlap = report.ancestry, report.overlap
    if ancestry is None or overlap is None:
        own = [source for source in given if not source.startswith(_HUB)]
        if own:
            return [
                f"Whether validation or test photographs had trained the weights ({own[0]}) was "
                "not looked for: an earlier hairjax began the run."
            ]
        return _public(public)
    said = []
    if overlap.leaks:
        said.append(
            f"Through the weights the split leaks: {overlap.describe()}; the results look better "
            "than they are."
        )
    elif ancestry.learnt:
        subjects = any(report.subjects.values()) and any(one.subjects for one in ancestry.learnt)
        said.append(
            f"No validation or test photograph{', nor another of its subject,' if subjects else ''}"
            f" had trained the weights ({ancestry.runs}), by checksums; copies encoded anew of "
            "photographs that are not in this set were not looked for."
        )
    if overlap.selected:
        said.append(
            f"{overlap.selected:,} of the {overlap.held['test']:,} test photographs had chosen the "
            "epoch of the weights."
        )
    said += [
        f"What the weights had learnt from before was not compared: {one}."
        for one in ancestry.untraced
    ]
    return said + _public(public)


def _public(source: str) -> list[str]:
    if not source:
        return []
    return [f"The photographs that had trained the weights {source} are not known to hairjax."]
