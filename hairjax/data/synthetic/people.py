"""Synthetic people: number of images, severity, and labels of a noisy grader."""

from dataclasses import dataclass

import numpy as np

from hairjax.data.options import VIEWS
from hairjax.data.synthetic.paint import HairStyle, linear

STAGES = 4
PHOTOS_PER_PERSON = (3, 6)
# Severity lies in 0 … STAGES, a stage is its integer part. Images of a person vary slightly, and
# grader noise bounds the attainable accuracy.
PHOTO_JITTER = 0.06
GRADER_NOISE = 0.125

# Display colours, 0 … 1, from light to dark.
SKINS = np.array(
    [
        (0.96, 0.82, 0.74),
        (0.93, 0.76, 0.65),
        (0.85, 0.66, 0.53),
        (0.74, 0.54, 0.41),
        (0.58, 0.40, 0.29),
        (0.42, 0.28, 0.20),
        (0.32, 0.21, 0.16),
    ]
)
# Black, dark brown, brown, light brown, blond, red, grey; with their shares on light and dark skin.
HAIRS = np.array(
    [
        (0.14, 0.12, 0.115),
        (0.22, 0.16, 0.12),
        (0.34, 0.23, 0.15),
        (0.50, 0.36, 0.24),
        (0.72, 0.59, 0.40),
        (0.52, 0.27, 0.14),
        (0.60, 0.59, 0.58),
    ]
)
HAIRS_ON_LIGHT_SKIN = (0.22, 0.20, 0.18, 0.13, 0.11, 0.06, 0.10)
HAIRS_ON_DARK_SKIN = (0.72, 0.18, 0.0, 0.0, 0.0, 0.0, 0.10)


@dataclass(frozen=True)
class Person:
    """Traits of a person, common to all images and both views."""

    number: int
    severity: float  # 0 … STAGES
    skin: np.ndarray  # [3, 1, 1], linear
    hair: HairStyle


@dataclass(frozen=True)
class Shot:
    """Plan of one image."""

    person: Person
    take: int  # number among the person's images, from 1
    severity: float  # visible severity, 0 … STAGES
    label: int  # stage assigned by the grader


def sample_person(seed: int, number: int) -> Person:
    """Sample person `number` (from 0) of `seed`."""
    start = np.random.default_rng([seed, 0, 0]).random()
    # golden-ratio sequence: uniform severities for any number of people
    severity = (start + number * (5**0.5 - 1) / 2) % 1 * STAGES
    rng = np.random.default_rng([seed, 1, number])
    tone = rng.uniform(0, len(SKINS) - 1)
    skin = np.array([np.interp(tone, range(len(SKINS)), channel) for channel in SKINS.T])
    shares = HAIRS_ON_LIGHT_SKIN if tone < 2.5 else HAIRS_ON_DARK_SKIN
    hair = HAIRS[rng.choice(len(HAIRS), p=shares)] * np.exp(rng.normal(0, 0.06))
    hair = hair + np.clip(rng.normal(0, 0.3), 0, 0.6) * (0.85 * skin - hair)  # fine hair shows skin
    style = HairStyle(
        colour=linear(hair),
        grey=float(np.clip(rng.normal(0, 0.15), 0, 0.6)),
        length=float(np.exp(rng.uniform(np.log(0.05), np.log(0.30)))),
        curl=float(rng.choice([0.08, 0.25, 0.65], p=[0.5, 0.3, 0.2])),
        sheen=float(rng.uniform(0.03, 0.25)),
        volume=float(rng.uniform(0.02, 0.11)),
        fuzz=float(rng.uniform(0.015, 0.045)),
    )
    return Person(number, float(severity), linear(skin), style)


def plan_shots(view: str, count: int, seed: int) -> list[Shot]:
    """Plan `count` images, person by person; shorter plans are prefixes of longer ones."""
    shots: list[Shot] = []
    stream = 2 + VIEWS.index(view)
    number = 0
    while len(shots) < count:
        person = sample_person(seed, number)
        rng = np.random.default_rng([seed, stream, number])
        for take in range(1, rng.integers(*PHOTOS_PER_PERSON, endpoint=True) + 1):
            jittered = person.severity + rng.normal(0, PHOTO_JITTER)
            severity = float(np.clip(jittered, 0, STAGES))
            graded = np.floor(severity + rng.normal(0, GRADER_NOISE))
            shots.append(Shot(person, take, severity, int(np.clip(graded, 0, STAGES - 1))))
        number += 1
    return shots[:count]
