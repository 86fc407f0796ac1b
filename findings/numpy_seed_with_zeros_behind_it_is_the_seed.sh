#!/bin/sh
# numpy 2.4.6: zeros at the end of a sequence of seeds count for nothing.
#
# The guess: default_rng([seed, epoch]) is another generator for every pair, and none of them is
# default_rng(seed); so a program that draws a split with the seed and the order of epoch k with
# [seed, k] has independent draws.
# Seen: a sequence is a row of 32-bit words, filled up with zeros to four. default_rng([5, 0]) and
# default_rng([5, 0, 0]) are default_rng(5), word for word, [5, 1] is [5, 1, 0] and the integer
# 5 + 2**32; only with a fifth word do zeros count. The first epoch draws what the seed alone draws.
# Sure to differ: a last word that is never 0, such as [seed, epoch, 1].
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
"$folder/env/bin/python" - <<'PROGRAM'
import numpy as np

print("numpy", np.__version__)


def first(seed):
    return np.random.default_rng(seed).permutation(8).tolist()


for seed in (5, [5, 0], [5, 0, 0, 0], [5, 0, 0, 0, 0], [5, 1], [5, 1, 0], 5 + 2**32, [5, 0, 1]):
    print(f"default_rng({seed}).permutation(8) = {first(seed)}")
same = first(5) == first([5, 0]) == first([5, 0, 0, 0])
carried = first([5, 1]) == first([5, 1, 0]) == first(5 + 2**32)
fifth = first([5, 0, 0, 0, 0]) != first(5)
apart = first([5, 0, 1]) != first(5)
assert same and carried and fifth and apart, "numpy behaves otherwise now"
PROGRAM
