"""Checkpoints of a run, best and last: the only file that imports orbax."""

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

# Orbax reports every save at INFO, harmless conditions at WARNING, and at ERROR what it raises too.
logging.getLogger("absl").setLevel(logging.CRITICAL)


# Measured of Swin-T after training: compressed, a checkpoint takes 0.93 of the state's bytes.
_LEAST = 0.9
_FILES = 300_000  # bytes of what describes the arrays, in a few dozen small files
_NEXT_BESIDE = 2  # whole checkpoints at most, the best and the last, while the next is written


@functools.cache
def _hush() -> None:
    """Say nothing, from now on, of what orbax's threads leave undone once a save has failed.

    Each of a hundred says it by a page of its own, and what failed is raised besides.
    """
    before = sys.unraisablehook

    def say(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, RuntimeError) or (
            str(unraisable.exc_value) != "Event loop is closed"
        ):
            before(unraisable)

    sys.unraisablehook = say


def last_step(folder: Path) -> int | None:
    """The step of the last whole checkpoint in a folder, which is not opened; None if none."""
    return max(ocp.utils.checkpoint_steps(folder), default=None) if folder.is_dir() else None


class _KeepBest(PreservationPolicy):
    """Keeps one step: the best, which the run knows and every checkpoint records.

    (Orbax's own ``BestN`` ranks by metrics that it writes only together with ``best_fn``, and so
    forgets them at a restart.)
    """

    step: int | None = None

    def should_preserve(self, checkpoints: Any, *, context: Any) -> list[bool]:
        return [checkpoint.step == self.step for checkpoint in checkpoints]


class Checkpoints:
    """The last state of a run and the one that validated best, by training step.

    A save is asynchronous and atomic: what a kill interrupts is ignored at the next start. Of
    several processes each calls every method, and writes its parts of the arrays: the folder is one
    that they share. A state may be restored onto another mesh than it was saved from.

    Args:
        folder: where they lie; made when missing.
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
        """Begin to save a state.

        Args:
            step: training steps taken.
            params: the model's parameters.
            rest: whatever else training needs to go on (a tree of arrays).
            best: the best epoch so far, if any was validated; its ``step`` is kept beside the
                last one.

        Raises:
            RuntimeError: this step or a later one is already there, or orbax refused.
            OSError: the disk has no room for it, or the one before could not be written.
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
        _hush()
        with self._telling():
            self._require_room(state_bytes((params, rest)))
            if not self._manager.save(step, args=args, force=True):
                raise RuntimeError(f"step {step} was not saved: orbax refused")

    def clean(self) -> None:
        """Remove, once, what a kill in the middle of an earlier save left; for who trains here.

        Not whenever the folder is opened (as orbax would): a run may be evaluated while it trains,
        and the reader must not remove what the trainer is writing.
        """
        if not self._cleaned and jax.process_index() == 0:
            self._remove_leftovers()
        self._cleaned = True

    def last_step(self) -> int | None:
        """The step of the last whole checkpoint; None when there is none."""
        return self._manager.latest_step()

    def restore_last(self, params: Any, rest: Any) -> tuple[Any, Any, dict[str, Any] | None]:
        """The last state: params, rest and the best epoch, as they were saved.

        Args:
            params: shapes, dtypes and shardings, as ``jax.ShapeDtypeStruct``s or arrays.
            rest: likewise.
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
        """The best epoch as last saved; None when no epoch was validated yet."""
        step = self.last_step()
        if step is None:
            return None
        args = ocp.args.Composite(best=ocp.args.JsonRestore())
        return self._manager.restore(step, args=args).best["best"]

    def restore_params(self, step: int, params: Any) -> Any:
        """The parameters alone, at one step."""
        args = ocp.args.Composite(params=ocp.args.StandardRestore(_abstract(params)))
        return self._manager.restore(step, args=args).params

    def read_params(self, step: int) -> dict[str, Any]:
        """The parameters at one step as numpy arrays, without their model's shapes.

        List positions in the tree come back as text ("0"). The devices that saved them need not be
        there.
        """
        path = self._folder / str(step) / "params"
        with ocp.PyTreeCheckpointer() as reader:
            saved = reader.metadata(path).item_metadata.tree
            args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), saved)
            return reader.restore(path, restore_args=args)

    def wait(self) -> None:
        """Return when every save has been committed.

        Raises:
            OSError: one could not be written, for want of room.
        """
        with self._telling():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Commit what is under way and let go of the folder; of a failed save nothing is left."""
        with self._telling():
            self._manager.close()
        if self._failed and jax.process_count() == 1:
            self._remove_leftovers()

    def expected_bytes(self, size: int, epochs: int) -> int:
        """Bytes that the checkpoints will take beside those that are there.

        Args:
            size: bytes of a state.
            epochs: how often it will be saved.
        """
        there = len(self._manager.all_steps())
        return (size + _FILES) * max(min(1 + _NEXT_BESIDE, there + epochs) - there, 0)

    def least_bytes(self, size: int) -> float:
        """Bytes that a checkpoint of a state of so many takes at least."""
        return _LEAST * size

    def _require_room(self, size: int) -> None:
        """Refuse to begin what could not be ended.

        Orbax, which finds out in the middle, cannot be stopped in good order.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if free(self._folder) < self.least_bytes(size):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Raise an OSError where the disk is full, whatever orbax raises and however often."""
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
    """Bytes of all arrays of a tree, or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def _abstract(tree: Any) -> Any:
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), tree
    )
