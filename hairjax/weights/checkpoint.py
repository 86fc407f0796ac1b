"""Best and last checkpoint of a run: the only module that imports orbax."""

import errno
import functools
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    LatestN,
    PreservationPolicy,
)

from hairjax.system.disk import free, full_disk

# Orbax logs every save at INFO, harmless conditions at WARNING, and raised errors again at ERROR.
logging.getLogger("absl").setLevel(logging.CRITICAL)


# Measured on Swin-T: a compressed checkpoint takes 0.93 of the state's bytes.
_LEAST = 0.9
_FILES = 300_000  # bytes of metadata, in a few dozen small files
_NEXT_BESIDE = 2  # complete checkpoints (best, last) while the next is written


@functools.cache
def _silence_orbax() -> None:
    """Silence orbax's threads after a failed save: a hundred tracebacks of a closed event loop."""
    before = sys.unraisablehook

    def say(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, RuntimeError) or (
            str(unraisable.exc_value) != "Event loop is closed"
        ):
            before(unraisable)

    sys.unraisablehook = say


def last_step(folder: Path) -> int | None:
    """Step of the last complete checkpoint in a folder (not opened); None if there is none."""
    return max(ocp.utils.checkpoint_steps(folder), default=None) if folder.is_dir() else None


class _KeepBest(PreservationPolicy):
    """Preserves the best step, recorded by the run in every checkpoint.

    (Orbax's ``BestN`` forgets its metrics at a restart.)
    """

    step: int | None = None

    def should_preserve(self, checkpoints: Any, *, context: Any) -> list[bool]:
        return [checkpoint.step == self.step for checkpoint in checkpoints]


class Checkpoints:
    """Last and best checkpoint of a run by training step, in a folder created if missing.

    Saves are asynchronous and atomic: an interrupted one is ignored at the next start. With several
    processes each calls every method and writes its shards to the shared folder. A state may be
    restored onto another mesh.
    """

    def __init__(self, folder: Path):
        self._folder = folder.absolute()
        self._keep_best = _KeepBest()
        self._cleaned = self._failed = False
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=AnyPreservationPolicy([LatestN(1), self._keep_best]),
            ),
        )

    def save(self, step: int, params: dict, rest: dict, best: dict[str, Any] | None) -> None:
        """Start saving a state.

        Args:
            step: training steps taken.
            params: evaluated parameters.
            rest: rest of the train state (a tree of arrays).
            best: best epoch so far, if any; the checkpoint at its ``step`` is preserved.

        Raises:
            RuntimeError: this or a later step exists, or orbax refused.
            OSError: the disk is full, or the previous save failed.
        """
        self.wait()
        last = self.last_step()
        if last is not None and step <= last:
            raise RuntimeError(f"step {step} was not saved: step {last} is already there")
        self.clean()
        if best:
            self._keep_best.step = best["step"]
        args = ocp.args.Composite(
            params=ocp.args.StandardSave(params),
            rest=ocp.args.StandardSave(rest),
            best=ocp.args.JsonSave({"best": best}),
        )
        _silence_orbax()
        with self._single_error():
            self._require_disk_space(state_bytes((params, rest)))
            if not self._manager.save(step, args=args, force=True):
                raise RuntimeError(f"step {step} was not saved: orbax refused")

    def clean(self) -> None:
        """Remove leftovers of an interrupted save, once; for the trainer only.

        Readers must not: a run may be evaluated while it trains. (Orbax would on every open.)
        """
        if not self._cleaned and jax.process_index() == 0:
            self._remove_leftovers()
        self._cleaned = True

    def last_step(self) -> int | None:
        """Step of the last complete checkpoint; None if there is none."""
        return self._manager.latest_step()

    def restore_last(self, params: Any, rest: Any) -> tuple[Any, Any, dict[str, Any] | None]:
        """Restore the last checkpoint: evaluated parameters, rest of the state, best epoch if any.

        ``params`` and ``rest``: templates, ``jax.ShapeDtypeStruct``s with shardings or arrays.

        Raises:
            FileNotFoundError: there is no checkpoint.
        """
        restored = self._manager.restore(
            self.last_step(),
            args=ocp.args.Composite(
                params=ocp.args.StandardRestore(_abstract(params)),
                rest=ocp.args.StandardRestore(_abstract(rest)),
                best=ocp.args.JsonRestore(),
            ),
        )
        return restored.params, restored.rest, restored.best["best"]

    def best(self) -> dict[str, Any] | None:
        """Best epoch in the last checkpoint; None before the first validation."""
        step = self.last_step()
        if step is None:
            return None
        args = ocp.args.Composite(best=ocp.args.JsonRestore())
        return self._manager.restore(step, args=args).best["best"]

    def restore_params(self, step: int, params: Any) -> Any:
        """Parameters at a step, onto the shapes and shardings of ``params``."""
        args = ocp.args.Composite(params=ocp.args.StandardRestore(_abstract(params)))
        return self._manager.restore(step, args=args).params

    def read_params(self, step: int) -> dict[str, Any]:
        """Parameters at a step as numpy arrays, without shapes or the saving devices.

        List positions in the tree become text ("0").
        """
        path = self._folder / str(step) / "params"
        with ocp.PyTreeCheckpointer() as reader:
            saved = reader.metadata(path).item_metadata.tree
            args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), saved)
            return reader.restore(path, restore_args=args)

    def wait(self) -> None:
        """Wait until every save is committed.

        Raises:
            OSError: a save failed for lack of space.
        """
        with self._single_error():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Commit pending saves and release the folder; removes a failed save."""
        with self._single_error():
            self._manager.close()
        if self._failed and jax.process_count() == 1:
            self._remove_leftovers()

    def expected_bytes(self, size: int, epochs: int) -> int:
        """Bytes that further saves, one per epoch of states of ``size`` bytes, will take."""
        existing = len(self._manager.all_steps())
        return (size + _FILES) * max(min(1 + _NEXT_BESIDE, existing + epochs) - existing, 0)

    def least_bytes(self, size: int) -> float:
        """Minimum bytes of a checkpoint of a state of ``size`` bytes."""
        return _LEAST * size

    def _require_disk_space(self, size: int) -> None:
        """Raise before a save that cannot finish: orbax cannot be stopped in the middle."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if free(self._folder) < self.least_bytes(size):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    @contextmanager
    def _single_error(self) -> Iterator[None]:
        """Raise a single OSError for a full disk, whatever orbax raises."""
        try:
            yield
        except Exception as error:
            if not (full := full_disk(error)):
                raise
            self._failed = True
            raise OSError(full.code, os.strerror(full.code), str(self._folder)) from error

    def _remove_leftovers(self) -> None:
        for leftover in self._folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*"):
            shutil.rmtree(leftover)


def state_bytes(state: Any) -> int:
    """Bytes of all arrays (or shapes) of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def _abstract(tree: Any) -> Any:
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), tree
    )
