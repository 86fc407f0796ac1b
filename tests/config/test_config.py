import ast
import json
from pathlib import Path

import pytest

from configs import side, top
from hairjax.builders.validation import check_config, choices
from hairjax.cli.configuration import override
from hairjax.cli.flags import parse
from hairjax.config.load import from_plain, load_config, split_source, to_plain
from hairjax.config.recipe import known_keys
from hairjax.config.resume import differences
from hairjax.config.schema import check_keys, flatten
from hairjax.config.suggestions import nearest, unknown_key
from hairjax.system.errors import UserError

ROOT = Path(__file__).parents[2]
LIMITED = {name for name, key in known_keys().items() if key.least is not None}
DEFAULTS = dict(flatten(top.get_config()))


def set_flags(*arguments, config=None):
    """A configuration after flags of the command line."""
    given = parse("train", ["--config=given", *arguments])
    return override(config or top.get_config(), given.overrides)


def new_value(default):
    """A text for the command line, other than the default, and what it should become."""
    match default:
        case bool():
            return str(not default).lower(), not default
        case int():
            return str(default + 1), default + 1
        case float():
            return "0.375", 0.375
        case tuple():
            return "0.5,0.25,0.25", (0.5, 0.25, 0.25)
    return "another text", "another text"


@pytest.mark.parametrize("form", ["--config.{}={}", "-config.{}={}", "--config.{} {}"])
def test_every_key_can_be_set(form):
    for key in DEFAULTS:
        assert_can_be_set(key, form)


def assert_can_be_set(key, form):
    text, expected = new_value(DEFAULTS[key])
    flag, _, separate = form.format(key, text).partition(" ")
    if isinstance(expected, bool):
        flag, separate = f"--config.{key}={text}", ""
    if isinstance(expected, str):  # which may hold spaces itself
        flag, separate = flag.partition("=")[0], text
    values = dict(flatten(set_flags(*filter(None, (flag, separate)))))
    assert values.pop(key) == expected, key
    assert type(expected) is type(DEFAULTS[key]), key
    assert values == {k: v for k, v in DEFAULTS.items() if k != key}, key


@pytest.mark.parametrize(
    ("arguments", "key", "expected"),
    [
        (["--config.data.fractions=0.6,0.2,0.2"], "data.fractions", (0.6, 0.2, 0.2)),
        (["--config.data.fractions=(0.6, 0.2, 0.2)"], "data.fractions", (0.6, 0.2, 0.2)),
        (["--config.model.hidden=256,"], "model.hidden", (256,)),
        (["--config.model.hidden=256"], "model.hidden", (256,)),
        (["--config.model.hidden=256,128"], "model.hidden", (256, 128)),
        (["--config.model.hidden=[256,128]"], "model.hidden", (256, 128)),
        (["--config.model.hidden=()"], "model.hidden", ()),
        (["--config.model.remat"], "model.remat", True),
        (["--config.model.remat=true"], "model.remat", True),
        (["--config.model.remat=True"], "model.remat", True),
        (["--config.model.remat=false"], "model.remat", False),
        (["--config.optim.peak.late=3e-4"], "optim.peak.late", 3e-4),
        (["--config.optim.peak.late=1"], "optim.peak.late", 1.0),
        (["--config.optim.peak.late=1", "--config.optim.peak.late=2"], "optim.peak.late", 2.0),
        (["--config.seed=-1"], "seed", -1),
        (["--config.seed", "-1"], "seed", -1),
        (["--config.data.photos="], "data.photos", ""),
        (["--config.data.photos=a=b"], "data.photos", "a=b"),
        (["--config.data.subject=--x"], "data.subject", "--x"),
        (["--config.model.name", "swin"], "model.name", "swin"),
    ],
)
def test_forms_of_values(arguments, key, expected):
    value = dict(flatten(set_flags(*arguments)))[key]
    assert value == expected
    assert type(value) is type(expected)


def test_written_and_read_back(tmp_path):
    config = set_flags("--config.model.hidden=256,128", "--config.optim.peak.late=1")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(to_plain(config)))
    read = load_config(str(file))
    assert list(flatten(read)) == list(flatten(config))
    assert [type(value) for _, value in flatten(read)] == [
        type(value) for _, value in flatten(config)
    ]
    assert read.model.hidden == (256, 128)
    assert dict(flatten(from_plain(to_plain(config)))) == dict(flatten(config))
    # And flags take hold of it again.
    again = set_flags(
        "--config.model.hidden=64", "--config.data.fractions=0.6,0.2,0.2", config=read
    )
    assert (again.model.hidden, again.data.fractions) == ((64,), (0.6, 0.2, 0.2))


def test_choices_and_ranges_are_of_keys():
    assert choices().keys() <= DEFAULTS.keys()
    assert not choices().keys() & LIMITED
    for key, allowed in choices().items():
        assert {type(value) for value in allowed} == {type(DEFAULTS[key])}, key


def test_every_number_is_limited():
    numbers = {
        key
        for key, value in DEFAULTS.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert numbers == LIMITED | {"model.in_channels"}


@pytest.mark.parametrize("config", [top, side])
def test_shipped_configurations_pass_the_checks(config, tmp_path):
    check_config(config.get_config("demo"))
    recipe = config.get_config()
    recipe.data.photos = recipe.data.masks = str(tmp_path)
    check_config(recipe)


def test_side_differs_from_top_only_in_what_it_shows():
    assert differences(top.get_config(), side.get_config()) == [
        "config.data.count: 3200 → 2800",
        "config.data.view: 'top' → 'side'",
    ]
    assert differences(top.get_config("demo"), side.get_config("demo")) == [
        "config.data.view: 'top' → 'side'"
    ]


def keys_read(folder):
    """The (section, key) pairs that code reads, and the sections that it takes as a whole."""
    pairs, whole = set(), set()

    def name(node):
        return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)

    for path in folder.rglob("*.py"):
        if path.name in ("check.py", "consistency.py"):  # they check keys and use none
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                pairs.add((name(node.value), node.attr))
            # optim.peak[group] or **config.augment
            elif isinstance(node, ast.Subscript) or getattr(node, "arg", "") is None:
                whole.add(name(node.value))
    return pairs, whole


def test_every_key_is_read():
    pairs, whole = keys_read(ROOT / "hairjax")
    assert ("optim", "momentum") not in pairs
    assert "optim" not in whole
    for key in DEFAULTS:
        section, _, last = f"config.{key}".rpartition(".")
        section = section.rpartition(".")[2]
        assert (section, last) in pairs or section in whole, f"nothing reads config.{key}"


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("def get_config(:\n    pass\n", ["SyntaxError", "line 1"]),
        ("\nraise RuntimeError('no luck')\n", ["RuntimeError: no luck", "(line 2)"]),
        ("import no_such_module\n", ["No module named 'no_such_module'", "(line 1)"]),
        ("a = 1\n", ["has no function get_config"]),
        ("get_config = 3\n", ["TypeError", "not callable"]),
        ("def get_config():\n    return {}['a']\n", ["KeyError: 'a'", "(line 2)"]),
        ("def get_config():\n    return {}\n", ["ConfigDict, not dict"]),
        ("def get_config():\n    pass\n", ["ConfigDict, not NoneType"]),
        ("def get_config():\n    raise ValueError('no such crown')\n", ["my.py: no such crown"]),
    ],
)
def test_a_python_file_that_is_no_configuration(text, fragments, tmp_path):
    path = tmp_path / "my.py"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        load_config(str(path))
    for fragment in [str(path), *fragments]:
        assert fragment in str(refused.value)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (b'{"seed": 1,', ["is not JSON", "line 1"]),
        (b"", ["is not JSON"]),
        (b"\xff\xfe", ["is not JSON"]),
        (b"[1]", ["is not a configuration"]),
        (b"3", ["is not a configuration"]),
    ],
)
def test_a_json_file_that_is_no_configuration(text, fragments, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(UserError) as refused:
        load_config(str(path))
    for fragment in [str(path), *fragments]:
        assert fragment in str(refused.value)


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"seed": "1"}, ["config.seed is '1'", "a whole number"]),
        ({"seed": 1.5}, ["config.seed is 1.5", "a whole number"]),
        ({"seed": True}, ["config.seed is True", "a whole number"]),
        ({"seed": None}, ["config.seed is None", "a whole number"]),
        ({"seed": {"a": 1}}, ["unknown key config.seed.a"]),
        ({"model": 3}, ["config.model is a section", "config.model.name"]),
        ({"train": {"epochs": 3}}, ["lacks", "config.train.batch_size=32, config.train.log_every"]),
        ({"sed": 3}, ["unknown key config.sed;", "config.seed"]),
    ],
)
def test_keys_and_kinds_of_a_file(change, fragments):
    plain = to_plain(top.get_config()) | change
    with pytest.raises(UserError) as refused:
        check_keys(from_plain(plain), known_keys())
    for fragment in fragments:
        assert fragment in str(refused.value)


@pytest.mark.parametrize("value", ["text", "0.5", [0.5, "a"], [True], [float("nan")], 0.5])
def test_fractions_are_numbers(value):
    plain = to_plain(top.get_config())
    plain["data"]["fractions"] = value
    with pytest.raises(UserError, match=r"config.data.fractions is .* such as 0.8,0.1,0.1"):
        check_keys(from_plain(plain), known_keys())


def test_a_whole_number_will_do_for_any_number():
    plain = to_plain(top.get_config("demo"))
    plain["optim"]["clip"] = 1
    check_config(from_plain(plain))


def test_the_nearest_name():
    known = ["seed", "model.name", "model.dropout", "data.source", "weights.source"]
    assert nearest("sead", known).startswith("the known ones are seed, model.name")
    assert nearest("sed", known) == "did you mean seed?"
    assert nearest("SEED", known) == "did you mean seed?"
    assert nearest("--source", known) == "did you mean data.source or weights.source?"
    assert nearest("dta.source", known) == "did you mean data.source?"


@pytest.mark.parametrize(
    ("key", "end"),
    [
        ("modle.name", "did you mean config.model.name?"),
        ("batch_size", "did you mean config.train.batch_size?"),
        ("optim.late", "did you mean config.optim.peak.late?"),
        ("train.steps", "config.train.epochs, config.train.log_every, config.train.patience"),
        ("optim.peak", "config.optim.peak.early, config.optim.peak.late, config.optim.peak.middle"),
        ("nonsense", "configs/top.py has every key"),
    ],
)
def test_an_unknown_key(key, end):
    message = unknown_key(key, DEFAULTS)
    assert f"config.{key}" in message
    assert message.endswith(end)


def test_a_file_and_its_variant(tmp_path):
    assert split_source("configs/top.py") == (Path("configs/top.py"), "")
    assert split_source("configs/top.py:demo") == (Path("configs/top.py"), "demo")
    assert split_source("~/top.py:demo") == (Path.home() / "top.py", "demo")
    file = tmp_path / "12:30.json"  # a colon of its own
    file.touch()
    assert split_source(str(file)) == (file, "")


def test_differences_name_the_key_and_both_values():
    old, new = top.get_config("demo"), top.get_config("demo")
    new.seed = 3
    new.model.hidden = (16,)
    new.data.photos = "moved"  # where things lie may differ
    new.devices.mesh = new.devices.shard = new.devices.processes = 2
    new.devices.process = 1
    new.devices.coordinator = "localhost:7733"
    assert differences(old, new) == ["config.model.hidden: () → (16,)", "config.seed: 0 → 3"]
    del old.optim.clip
    assert "config.optim.clip: None → 1.0" in differences(old, new)


def test_a_text_may_hold_commas():
    assert set_flags("--config.data.classes=none,mild,severe").data.classes == "none,mild,severe"
