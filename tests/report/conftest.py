"""The report that pages are made of in several modules."""

import pytest

from tests.report.example import example_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def report(folder):
    """Of a run whose test photographs were never looked at."""
    return example_report(folder)
