#!/bin/sh
# Pillow 13.0.0: a label map in mode P is cut to the size of its palette when it is saved as PNG.
#
# The guess: the pixels of an image in mode P are indices, and the palette only says which colours
# these have; so class 17 of a label map is 17 again when its PNG is read, and a palette that lacks
# a colour for it is at most an error.
# Seen: PngImagePlugin chooses the bit depth by the number of colours in the palette: 1 bit for up
# to two, 2 for up to four, 4 for up to sixteen. The indices are packed into as many bits without a
# word. With three colours 17 becomes 1, 200 becomes 0 and 3 stays; without a palette (as
# Image.fromarray(labels, mode="P") and Image.new("P", …) leave it) everything but 0 becomes 1. A
# map of 0 and 17 comes back as a flawless map of 0 and 1: no reader can tell. TIFF keeps the
# numbers; GIF numbers them anew by rank. A palette of 256 colours keeps them in PNG too.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PROGRAM'
import io

import numpy as np
import PIL
from PIL import Image

LABELS = [0, 1, 2, 3, 17, 200]
THREE = [0, 0, 0, 255, 0, 0, 0, 255, 0]


def read_back(palette, kind):
    image = Image.new("P", (len(LABELS), 1))
    image.putdata(LABELS)
    if palette:
        image.putpalette(palette)
    assert np.asarray(image).ravel().tolist() == LABELS
    file = io.BytesIO()
    image.save(file, kind)
    return np.asarray(Image.open(file)).ravel().tolist()


print("pillow", PIL.__version__)
seen = {}
for colours, palette in ((0, []), (3, THREE), (256, [i // 3 for i in range(768)])):
    for kind in ("PNG", "TIFF", "GIF"):
        seen[colours, kind] = read_back(palette, kind)
        print(f"{colours} colours, {kind}: {LABELS} is {seen[colours, kind]}")
assert seen[0, "PNG"] == [0, 1, 1, 1, 1, 1], "Pillow behaves otherwise now"
assert seen[3, "PNG"] == [0, 1, 2, 3, 1, 0], "Pillow behaves otherwise now"
assert seen[256, "PNG"] == LABELS, "Pillow behaves otherwise now"
assert all(seen[colours, "TIFF"] == LABELS for colours in (0, 3, 256)), "Pillow behaves otherwise now"
assert seen[3, "GIF"] == [0, 1, 2, 3, 4, 5], "Pillow behaves otherwise now"
PROGRAM
