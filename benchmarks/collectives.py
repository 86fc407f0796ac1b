"""Collectives of a training step, read from the compiled program.

Two tables: replicated parameters on 1, 2, 4 and 8 devices, and 8 devices with parameters sharded
over 1, 2, 4 and 8, each for two batch sizes. Compilation only, from shapes, on forced CPU devices;
as GPU compilers turn some all-reduces into reduce-scatters, the second table is an upper bound.

    python -m benchmarks.collectives --out=collectives.json
"""

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from benchmarks.training_step import training_step
from hairjax.config.load import load_config
from hairjax.parallel.mesh import make_mesh

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "collective-permute",
    "all-to-all",
    "collective-broadcast",
    "ragged-all-to-all",
)
DEVICES = (1, 2, 4, 8)
_COLLECTIVE = re.compile(rf" = (.*?) ({'|'.join(KINDS)})(?:-start)?\(")
_HEADER = re.compile(r"(ENTRY )?%?([\w.-]+) \(.*\{$")
_CALLED = re.compile(r"(?:body|condition|calls|to_apply|computations?)=(\{[^}]*\}|%?[\w.-]+)")
_ARRAY = re.compile(r"([a-z]+)(\d*)[a-z0-9]*\[([\d,]*)\]")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


class Collective(NamedTuple):
    """Collective operation of a program."""

    kind: str
    bytes: int  # of its result on one device
    times: int  # executions per step, if known
    counted: bool  # False in a loop with a data-dependent trip count


def collectives(program: str) -> list[Collective]:
    """Collectives in ``compiled.as_text()``, including loops and called functions."""
    functions: dict[str, list[str]] = {}
    entry = ""
    for line in program.splitlines():
        if header := _HEADER.match(line.strip()):
            name = header[2]
            functions[name] = []
            entry = name if header[1] else entry
        elif functions:
            functions[name].append(line)

    def walk(name: str, times: int, counted: bool) -> Iterator[Collective]:
        for line in functions[name]:
            if found := _COLLECTIVE.search(line):
                yield Collective(found[2], size(found[1]), times, counted)
                continue  # its computation is an addition
            loop, trips = " while(" in line, _TRIPS.search(line)
            each = int(trips[1]) if loop and trips else 1
            for called in re.findall(r"[\w.-]+", " ".join(_CALLED.findall(line))):
                yield from walk(called, times * each, counted and (not loop or bool(trips)))

    return list(walk(entry, 1, True))


def size(shapes: str) -> int:
    """Bytes of arrays in HLO notation: ``(f32[4,8]{1,0}, pred[])`` has 129."""
    total = 0
    for _, bits, sides in _ARRAY.findall(shapes):
        count = 1
        for side in filter(None, sides.split(",")):
            count *= int(side)
        total += count * int(bits or 8) // 8  # pred: one byte
    return total


def totals(found: list[Collective]) -> dict[str, dict[str, int]]:
    """Count and bytes of each kind per step; loops of unknown length count once."""
    rows: dict[str, dict[str, int]] = defaultdict(lambda: {"count": 0, "bytes": 0})
    for one in found:
        row = rows[one.kind if one.counted else f"{one.kind}, in loops of unknown length"]
        row["count"] += one.times
        row["bytes"] += one.times * one.bytes
    return dict(rows)


def measure(model: str, count: int, shard: int, batch: int, more: dict[str, Any]) -> dict[str, Any]:
    """Compile the recipe's step for ``count`` × ``shard`` devices; its collectives and memory."""
    config = load_config("configs/top.py")
    # No gradient accumulation: the CPU compiler reduces every micro-batch separately.
    overrides = {"model.name": model, "train.batch_size": batch, "optim.accumulate": 1, **more}
    config.update_from_flattened_dict(overrides)
    start = time.perf_counter()
    step = training_step(config, make_mesh(count, shard))
    compiled = step.lower().compile()
    program, memory = compiled.as_text(), compiled.memory_analysis()
    assert program and memory, "XLA shows its programs for a CPU, and plans their memory"
    return {
        "devices": count * shard,
        "shard": shard,
        "batch": batch,
        "collectives": totals(collectives(program)),
        "parameter_bytes": sum(leaf.size * 4 for leaf in jax.tree.leaves(step.state.params)),
        "argument_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "seconds": round(time.perf_counter() - start, 1),
    }


def show(row: dict[str, Any]) -> None:
    """Print a row of the table."""
    sent = [
        f"{kind}: {found['count']} of {found['bytes'] / 1e6:,.2f} MB"
        for kind, found in row["collectives"].items()
    ]
    sizes = (row[name] / 1e6 for name in ("argument_bytes", "temporary_bytes"))
    memory = " | ".join(f"{value:,.1f} MB" for value in sizes)
    head = f"| {row['devices']} | {row['shard']} | {row['batch']} "
    print(f"{head}| {'; '.join(sent) or 'nothing'} | {memory} |", flush=True)


def main() -> None:
    """Print the tables; write JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", default="swin_tiny_patch4_window7_224", help="model, not cut")
    parser.add_argument("--cut", default="swin_large_patch4_window7_224", help="model, cut")
    parser.add_argument("--batches", type=int, nargs=2, default=(16, 32))
    parser.add_argument("--mixup", type=float, default=0.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", max(DEVICES))
    jax.config.update("jax_platforms", "cpu")
    # Does not change the collectives; a Swin-L compiles in a third of the time.
    jax.config.update("jax_disable_most_optimizations", True)
    more = {"augment.mixup": options.mixup}
    result: dict[str, Any] = {"jax": jax.__version__, **more}
    print("| devices | shard | batch | sent, on each device | arguments | temporaries |")
    print("|---|---|---|---|---|---|")
    for model, places in (
        (options.whole, [(count, 1) for count in DEVICES]),
        (options.cut, [(max(DEVICES) // shard, shard) for shard in DEVICES]),
    ):
        print(f"| {model} | | | | | |", flush=True)
        rows = result.setdefault(model, [])
        for place in places:
            for batch in options.batches:
                rows.append(measure(model, *place, batch, more))
                show(rows[-1])
        if options.out:
            options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
