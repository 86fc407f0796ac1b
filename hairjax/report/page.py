"""The report of a run: one HTML file that holds everything and asks the network for nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hairjax.report.contents import Report
from hairjax.report.html import Html, lines, tag, write_page
from hairjax.report.sections.access import access_section
from hairjax.report.sections.calibration import calibration_section
from hairjax.report.sections.checklists import checklists_section
from hairjax.report.sections.explanation import explanation_section
from hairjax.report.sections.groups import groups_section
from hairjax.report.sections.mistakes import mistakes_section
from hairjax.report.sections.most_confident_errors import most_confident_errors_section
from hairjax.report.sections.parts import parts_section
from hairjax.report.sections.photographs import photographs_section
from hairjax.report.sections.results import results_section
from hairjax.report.sections.selective_prediction import selective_prediction_section
from hairjax.report.sections.setting import setting_section
from hairjax.report.sections.summary import summary_section
from hairjax.report.sections.training import training_section


class PageSection(NamedTuple):
    """A part of the page under a heading, which the list of links at its top leads to."""

    name: str  # of its address in the page: #name
    title: str
    content: Callable[[Report], Sequence[Html]]  # below the heading; nothing: left out


# In the order of the page: what came out, where it fails, how sure it is, how it was made, what it
# was made of.
# A new section is a module in sections/ and a line here. A section gets the `Report` alone, which
# is read back from the run's folder. What needs the model or the photographs, such as pictures of
# mistakes, is stored in that folder before (`finish`, `explain`): the section reads it below
# `Report.folder` and is left out where it is not there.
SECTIONS = (
    PageSection("results", "Results", results_section),
    PageSection("looks", "Looks at the test photographs", access_section),
    PageSection("mistakes", "Where it is right and wrong", mistakes_section),
    PageSection("surest", "The surest mistakes", most_confident_errors_section),
    PageSection("explanation", "Where the model looks", explanation_section),
    PageSection("calibration", "Calibration", calibration_section),
    PageSection("referral", "Referral to a person", selective_prediction_section),
    PageSection("parts", "Parts of the photographs", parts_section),
    PageSection("training", "Training", training_section),
    PageSection("groups", "Parameter groups", groups_section),
    PageSection("photographs", "Photographs", photographs_section),
    PageSection("setting", "Model, cost and configuration", setting_section),
    PageSection("checklists", "Checklists for a paper", checklists_section),
)


def write_report(report: Report, path: Path) -> None:
    """Write the report as one HTML file; it appears whole or not at all.

    The same report gives the same bytes.

    Raises:
        OSError: a figure cannot be read, or the page cannot be written.
    """
    found = [(section, section.content(report)) for section in SECTIONS]
    shown = [(section, content) for section, content in found if content]
    pieces = [
        summary_section(report),
        _links([section for section, _ in shown]),
        *(
            tag("section", tag("h2", section.title), *lines(content), id=section.name)
            for section, content in shown
        ),
    ]
    write_page(report.title, tag("body", *lines(pieces)), path)


def _links(sections: Sequence[PageSection]) -> Html:
    links = (tag("a", section.title, href=f"#{section.name}") for section in sections)
    return tag("nav", *lines(list(links)), aria_label="Sections")
