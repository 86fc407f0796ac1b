"""What the benchmark of a GPU makes of what it has measured."""

from benchmarks.gpu import memory_per_image


def test_a_further_image_takes_what_larger_batches_take_more():
    peaks = {
        "hairjax": {128: 1_000, 512: 1_000 + 384 * 7, 256: 5_000},
        "timm": {128: 900, 256: None},
    }
    rows = [
        {"side": side, "batch": batch, "peak_memory_bytes": peak}
        for side, found in peaks.items()
        for batch, peak in found.items()
    ]
    assert memory_per_image(rows) == {"hairjax": 7}
