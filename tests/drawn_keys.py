"""The keys that a program draws random numbers with."""

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

SAMPLERS = ("random_bits", "random_gamma")  # the primitives that every draw comes down to


def drawn_keys(function, *args):
    """The words of every key that ``function(*args)`` draws with, one row per draw.

    Args:
        function: traced whole; of its program only the keys are computed.
        args: arrays, or their shapes where no key depends on them.
    """
    with jax.disable_jit():  # so that what is drawn within jitted functions is seen as well
        closed = jax.make_jaxpr(function)(*args)
    jaxpr = closed.jaxpr
    draws = [eqn.invars[0] for eqn in jaxpr.eqns if eqn.primitive.name in SAMPLERS]
    named = jaxpr.debug_info._replace(result_paths=None)  # of the outputs that it had
    keys = ClosedJaxpr(jaxpr.replace(outvars=draws, debug_info=named), closed.consts)
    leaves = [
        np.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf
        for leaf in jax.tree.leaves(args)
    ]
    found = jax.jit(jaxpr_as_fun(keys))(*leaves)
    return np.concatenate([np.reshape(jax.random.key_data(key), (-1, 2)) for key in found])


def shared(keys):
    """How many draws have a key that an earlier one has."""
    return len(keys) - len(np.unique(keys, axis=0))
