#!/bin/sh
# Pillow 13.0.0: the number of a class in a PGM depends on the largest number that the file states.
#
# The guess: np.asarray(Image.open(file)) gives the numbers that an 8-bit PGM holds, as it gives
# those of a PNG; so a label map of 0 … 18, in which 17 is hair, is the same in both.
# Seen: a PGM states the largest value that it may hold, and Pillow scales by it to 255 (to 65535
# where it is above 255), and rounds. Class 17 of a map that states 18 becomes 241, and 255 of one
# that states 17; class 1 becomes 255, 128 or 14, from file to file. Netpbm's tools and NumPy-based
# writers state the largest value that is there or that can be, so that a set may hold several.
# Only with 255 stated the numbers stay. OpenCV, beside it, gives what is in the file.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
  pillow==13.0.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/env/bin/python" - "$folder" <<'PROGRAM'
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import Image

print("pillow", PIL.__version__, "opencv", cv2.__version__)
labels = np.array([[0, 1, 2, 17]], np.uint8)
seen = {}
for largest in (17, 18, 255):
    file = Path(sys.argv[1]) / f"{largest}.pgm"
    file.write_bytes(b"P5\n4 1\n%d\n" % largest + labels.tobytes())
    seen[largest] = np.asarray(Image.open(file)).ravel().tolist()
    other = cv2.imread(str(file), cv2.IMREAD_UNCHANGED).ravel().tolist()
    print(f"states {largest}: {labels.ravel().tolist()} is {seen[largest]} in Pillow, {other} in OpenCV")
    assert other == labels.ravel().tolist(), "OpenCV behaves otherwise now"
assert seen == {17: [0, 15, 30, 255], 18: [0, 14, 28, 241], 255: [0, 1, 2, 17]}, "Pillow changed"
PROGRAM
