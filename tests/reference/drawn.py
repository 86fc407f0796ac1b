"""Parameters that a name and a shape decide, so that none need be stored."""

import zlib

import numpy as np


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float32: kernels that keep the size of what they see, norms that are not trivial."""
    # Of all generators of numpy the one whose numbers are promised never to change.
    state = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return state.uniform(0.5, 1.5, shape).astype(np.float32)
    values = state.standard_normal(shape)
    if len(shape) > 1:
        return (values * np.sqrt(2 / max(np.prod(shape[1:]), 1))).astype(np.float32)
    return (0.2 * values + name.endswith("weight")).astype(np.float32)


def drawn_keras(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Likewise for Keras's names and axes."""
    if name.endswith("moving_variance"):
        return drawn(f"{name}.running_var", shape)
    if name.endswith("gamma"):
        return drawn(f"{name}.weight", shape)
    if len(shape) < 2:
        return drawn(name, shape)
    inputs = shape[:2] if shape[3] == 1 else shape[:3]
    state = np.random.RandomState(zlib.crc32(name.encode()))
    return (state.standard_normal(shape) * np.sqrt(2 / np.prod(inputs))).astype(np.float32)


def photographs(name: str, size: tuple[int, int], batch: int) -> np.ndarray:
    """float32 [batch, h, w, 3], of mean 0 and deviation 1."""
    state = np.random.RandomState(zlib.crc32(name.encode()))
    return state.standard_normal((batch, *size, 3)).astype(np.float32)
