#!/bin/sh
# scikit-learn 1.9.1: StratifiedGroupKFold takes all groups that are NaN for one group.
#
# The guess: GroupKFold and StratifiedGroupKFold, which differ in stratification alone, both refuse
# groups that hold NaN, as every estimator refuses NaN in its input.
# Seen: GroupKFold, LeaveOneGroupOut and GroupShuffleSplit refuse ("Input groups contains NaN").
# StratifiedGroupKFold alone says nothing and keeps all of them in one fold, since numpy.unique
# holds NaNs for equal: photographs of people who are not known are one person, and where they are
# many that fold is theirs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
"$folder/env/bin/python" - <<'PROGRAM'
import numpy as np
import sklearn
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
)

print("scikit-learn", sklearn.__version__)
unknown = 6
groups = np.array([*np.repeat(np.arange(6.0), 2), *[np.nan] * unknown])
labels = np.arange(len(groups)) % 2


def of_unknown(splitter):
    """How many of the unknown ones each test part holds, or what is refused."""
    try:
        parts = splitter.split(labels, labels, groups)
        return [int(np.isnan(groups[test]).sum()) for _, test in parts]
    except ValueError as error:
        return str(error)


stratified = StratifiedGroupKFold(3)
for splitter in (GroupKFold(3), LeaveOneGroupOut(), GroupShuffleSplit(3), stratified):
    print(f"{type(splitter).__name__}: {of_unknown(splitter)}")
assert of_unknown(LeaveOneGroupOut()) == of_unknown(GroupKFold(3)) == "Input groups contains NaN.", "refused otherwise now"
together = of_unknown(stratified)
assert sorted(together) == [0, 0, unknown], "scikit-learn behaves otherwise now"
PROGRAM
