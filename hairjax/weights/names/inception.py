"""Parameter names of an Inception-v3 in torchvision and timm."""

from hairjax.weights.naming import Naming, Table

_PLACES = {
    "Conv2d_2a_3x3": "stages.0.blocks.0.conv",
    "Conv2d_2b_3x3": "stages.0.blocks.1.conv",
    "Conv2d_3b_1x1": "stages.1.blocks.1.conv",
    "Conv2d_4a_3x3": "stages.1.blocks.2.conv",
    **{f"Mixed_5{letter}": f"stages.2.blocks.{i + 1}" for i, letter in enumerate("bcd")},
    **{f"Mixed_6{letter}": f"stages.3.blocks.{i}" for i, letter in enumerate("abcde")},
    **{f"Mixed_7{letter}": f"stages.4.blocks.{i}" for i, letter in enumerate("abc")},
}


def _body() -> Table:
    table: Table = ()
    for theirs, ours in _PLACES.items():
        name, inside = (r"\.(\w+)", r".\1") if theirs.startswith("Mixed") else ("", "")
        table += (
            (rf"{theirs}{name}\.conv\.", f"{ours}{inside}.conv."),
            (rf"{theirs}{name}\.bn\.", f"{ours}{inside}.norm."),
        )
    return table


TORCHVISION = Naming(
    "torchvision and timm",
    (r"Conv2d_1a_3x3\.conv\.weight", r"Mixed_5b\.branch1x1\.conv\.weight"),
    (
        (r"Conv2d_1a_3x3\.conv\.", "stem.proj."),
        (r"Conv2d_1a_3x3\.bn\.", "stem.norm."),
        *_body(),
        (r"fc\.", "head.classifier."),
    ),
    ignored=r"AuxLogits\.",  # the auxiliary classifier, which served the original training
)
NAMINGS = (TORCHVISION,)
