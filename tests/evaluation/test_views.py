"""A row per subject: means, missing views, and labels that must agree."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.errors import UserError
from hairjax.evaluation.predictions import Predictions
from hairjax.evaluation.views import by_subject, stack

CLASSES = ("a", "b", "c")


def judged(rows):
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
    """Photographs of people whose label is their place in the alphabet, modulo three."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = generator.choice(list(subjects), draw(st.integers(1, 20)))
    return [(str(s), ord(str(s)) % 3, generator.dirichlet(np.ones(3))) for s in names]


@given(photographs())
def test_a_subjects_photographs_count_by_their_mean(rows):
    found = by_subject(judged(rows), "run")
    own = defaultdict(list)
    for subject, _, p in rows:
        own[subject].append(p)
    assert found.files == found.subjects == tuple(sorted(own))
    for subject, label, p in zip(found.files, found.labels, found.probabilities, strict=True):
        assert label == ord(subject) % 3
        assert np.allclose(p, np.mean(own[subject], axis=0), atol=1e-6)


@settings(deadline=None)
@given(photographs("vwx"), photographs("xyz"))
def test_every_subject_of_any_view_is_there(top, side):
    views = [by_subject(judged(rows), "run") for rows in (top, side)]
    subjects, p, present = stack(views)
    assert subjects.files == tuple(sorted({s for s, *_ in (*top, *side)}))
    for place, view in enumerate(views):
        assert {f for f, there in zip(subjects.files, present[place], strict=True) if there} == {
            *view.files
        }
        assert np.array_equal(p[place, present[place]], view.probabilities)
    assert subjects.labels.tolist() == [ord(s) % 3 for s in subjects.files]


def test_labels_that_disagree_are_named():
    even = [1 / 3] * 3
    with pytest.raises(UserError, match=r"runs/top: the photographs of 2 subjects .*\(ann, ben\)"):
        rows = [("ann", 0, even), ("ann", 1, even), ("ben", 2, even), ("ben", 1, even)]
        by_subject(judged(rows), "runs/top")
    views = [by_subject(judged([("ann", label, even)]), "run") for label in (0, 1)]
    with pytest.raises(UserError, match=r"the views of 1 subjects have different labels \(ann\)"):
        stack(views)


def test_subjects_must_be_known():
    even = [1 / 3] * 3
    with pytest.raises(UserError, match=r"subject of 1 photographs is not known \(1.png\)"):
        by_subject(judged([("ann", 0, even), ("", 0, even)]), "run")
