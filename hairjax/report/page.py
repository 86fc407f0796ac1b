"""Page of a run's report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from hairjax.report.contents import Report
from hairjax.report.html import render, write_page
from hairjax.report.sections.checklists import checklists_section
from hairjax.report.sections.confusion import confusion_section
from hairjax.report.sections.errors import errors_section
from hairjax.report.sections.explanation import explanation_section
from hairjax.report.sections.groups import groups_section
from hairjax.report.sections.photographs import photographs_section
from hairjax.report.sections.reproducibility import reproducibility_section
from hairjax.report.sections.results import results_section
from hairjax.report.sections.subgroups import subgroups_section
from hairjax.report.sections.training import training_section


def _report_alone(report: Report) -> dict[str, Any]:
    return {}


class PageSection(NamedTuple):
    """Section of the page: its template is ``templates/sections/NAME.html``.

    Attributes:
        name: its anchor and template.
        title: its heading.
        values: further values for its template, which has ``report``.
    """

    name: str
    title: str
    values: Callable[[Report], dict[str, Any]] = _report_alone


# In the order of the page. A new section is a template, a line here and, where it computes, a
# module in sections/. It sees the `Report` alone, which is read from the run directory; what needs
# the model or the photographs is stored there first (`finish`, `explain`).
SECTIONS = (
    PageSection("results", "Results", results_section),
    PageSection("access", "Test-set access"),
    PageSection("confusion", "Confusion matrix and per-class metrics", confusion_section),
    PageSection("errors", "Most confident errors", errors_section),
    PageSection("explanation", "Explanation maps and mask reliance", explanation_section),
    PageSection("calibration", "Calibration"),
    PageSection("selective_prediction", "Selective prediction (referral)"),
    PageSection("subgroups", "Subgroup performance", subgroups_section),
    PageSection("training", "Training", training_section),
    PageSection("groups", "Parameter groups", groups_section),
    PageSection("photographs", "Photographs and splits", photographs_section),
    PageSection("reproducibility", "Model, compute and configuration", reproducibility_section),
    PageSection("checklists", "Reporting checklists (CLAIM, TRIPOD+AI)", checklists_section),
)


def section_html(section: PageSection, report: Report) -> Markup:
    """Render a section below its heading; blank if the run has nothing for it."""
    template = f"sections/{section.name}.html"
    return render(template, report=report, **section.values(report))


def write_report(report: Report, path: Path) -> None:
    """Write the report as one HTML file, atomically; the same report gives the same bytes.

    Raises:
        OSError: a figure cannot be read, or the page cannot be written.
    """
    found = [(section, section_html(section, report)) for section in SECTIONS]
    sections = [(section, content) for section, content in found if content.strip()]
    write_page("report.html", path, title=report.title, report=report, sections=sections)
