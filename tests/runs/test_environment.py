import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hairjax.builders.model import find_model_weights, model_specification
from hairjax.config.load import load_config
from hairjax.parallel.mesh import make_mesh
from hairjax.runs.environment import Weights, describe_start, from_line, to_line


@pytest.fixture
def config():
    return load_config("configs/top.py")


def start(config, weights=None):
    params = {"a": jnp.zeros((3, 4)), "b": jnp.zeros(5)}
    model = model_specification(config)
    found = find_model_weights(model) if weights is None else weights
    return describe_start(model, make_mesh(2, 1), params, found)


def test_the_file_of_weights_is_told_by_its_checksum(config, tmp_path):
    file = tmp_path / "weights.npz"
    np.savez(file, **{"patch_embed.proj.weight": np.ones((96, 3, 4, 4))})
    config.weights.source = str(tmp_path)  # the folder with the one file
    found = start(config)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.weights == Weights(str(tmp_path), "weights.npz", digest, file.stat().st_size)
    assert found.parameters == 17
    assert found.devices == "2 × cpu"
    assert found.versions["jax"] == jax.__version__
    assert found.memory > 2**28
    assert from_line(json.loads(json.dumps(to_line(found)))) == found


def test_a_run_has_no_checksum(config, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.json").write_text("{}")
    config.weights.source = str(tmp_path)
    assert start(config).weights == Weights(str(tmp_path), "", "", 0)


def test_no_weights_are_told_where_none_are_read(config):
    config.weights.source = "none"
    assert start(config).weights is None
    config.weights.source = "/nowhere.npz"
    resumed = start(config, weights=[None])
    assert resumed.weights is None
    assert from_line(to_line(resumed)) == resumed


def test_a_line_from_before_there_were_two_streams_is_read(config):
    config.weights.source = "none"
    found = start(config)
    line = to_line(found)
    del line["second_weights"]
    assert from_line(line) == found
