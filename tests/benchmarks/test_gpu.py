"""What the benchmark of a GPU makes of what it has measured."""

import argparse

from benchmarks.gpu import PARTS, Benchmark, Job, memory_per_image


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


def test_a_program_is_compiled_once():
    options = argparse.Namespace(
        models=["swin"], batches=[[4, 8]], parts=PARTS, recipe_batch=4, minutes=1.0
    )
    jobs = Benchmark(options).jobs()
    assert jobs.count(Job("hairjax", "swin", 4, False, "")) == 1
    assert len(jobs) == len(set(jobs)) == 5
