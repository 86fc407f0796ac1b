"""A row per subject: means, and missing views."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation.by_subject import mean_by_subject, stack_views
from hairjax.evaluation.predictions import Predictions
from hairjax.system.errors import UserError

CLASSES = ("a", "b", "c")
LABELS = {name: ord(name) % 3 for name in "vwxyz"}


def scored(rows):
    """Predictions of (subject, label, probabilities)."""
    return Predictions(
        files=tuple(f"{i}.png" for i in range(len(rows))),
        labels=np.array([label for _, label, _ in rows], np.int64),
        probabilities=np.array([p for *_, p in rows], np.float32).reshape(-1, 3),
        subjects=tuple(subject for subject, *_ in rows),
        classes=CLASSES,
    )


@st.composite
def photographs(draw, subjects="vwxyz"):
    """Photographs of people."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = generator.choice(list(subjects), draw(st.integers(1, 20)))
    return [(str(s), LABELS[str(s)], generator.dirichlet(np.ones(3))) for s in names]


@given(photographs())
def test_a_subjects_photographs_count_by_their_mean(rows):
    found = mean_by_subject(scored(rows), LABELS, "run")
    own = defaultdict(list)
    for subject, _, p in rows:
        own[subject].append(p)
    assert found.files == found.subjects == tuple(sorted(own))
    for subject, label, p in zip(found.files, found.labels, found.probabilities, strict=True):
        assert label == LABELS[subject]
        assert np.allclose(p, np.mean(own[subject], axis=0), atol=1e-6)


@settings(deadline=None)
@given(photographs("vwx"), photographs("xyz"))
def test_every_subject_of_any_view_is_there(top, side):
    views = [mean_by_subject(scored(rows), LABELS, "run") for rows in (top, side)]
    subjects, p, present = stack_views(views)
    assert subjects.files == tuple(sorted({s for s, *_ in (*top, *side)}))
    for place, view in enumerate(views):
        assert {f for f, there in zip(subjects.files, present[place], strict=True) if there} == {
            *view.files
        }
        assert np.array_equal(p[place, present[place]], view.probabilities)
    assert subjects.labels.tolist() == [LABELS[s] for s in subjects.files]


def test_subjects_must_be_known():
    even = [1 / 3] * 3
    with pytest.raises(UserError, match=r"subject of 1 photograph is not known \(1.png\)"):
        mean_by_subject(scored([("ann", 0, even), ("", 0, even)]), {"ann": 0}, "run")
