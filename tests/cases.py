"""Of the cases of a parametrised test those that a default run takes; the others are ``slow``."""

import pytest


def others_slow(cases, usual):
    assert {*usual} <= {*cases}
    return [case if case in usual else pytest.param(case, marks=pytest.mark.slow) for case in cases]
