"""Parameter names of a Swin in other libraries."""

import numpy as np

from hairjax.weights.naming import Naming, Table, our_layout

_BLOCK = r"layers\.(\d+)\.blocks\.(\d+)\."
_OURS = r"stages.\1.blocks.\2."

_TIMM_BODY: Table = (
    (r"patch_embed\.(proj|norm)\.", r"stem.\1."),
    (_BLOCK + r"(norm1|norm2)\.", _OURS + r"\3."),
    (_BLOCK + r"attn\.relative_position_bias_table$", _OURS + "attention.bias_table"),
    (_BLOCK + r"attn\.(qkv|proj)\.", _OURS + r"attention.\3."),
    (_BLOCK + r"mlp\.fc1\.", _OURS + "mlp.expand."),
    (_BLOCK + r"mlp\.fc2\.", _OURS + "mlp.reduce."),
    (r"norm\.", "head.norm."),
)
_MERGE_AT_END: Table = (
    (r"layers\.(\d+)\.downsample\.(norm|reduction)\.", r"stages.\1+1.merge.\2."),
)
_TRANSFORMERS_BODY: Table = (
    (r"(?:swin\.)?embeddings\.patch_embeddings\.projection\.", "stem.proj."),
    (r"(?:swin\.)?embeddings\.norm\.", "stem.norm."),
    (
        r"(?:swin\.)?encoder\.layers\.(\d+)\.downsample\.(norm|reduction)\.",
        r"stages.\1+1.merge.\2.",
    ),
    (r"(?:swin\.)?layernorm\.", "head.norm."),
    (r"classifier\.", "head.classifier."),
)
_TRANSFORMERS_BLOCK = r"(?:swin\.)?encoder\." + _BLOCK

ORIGINAL = Naming(
    "the original hair-loss classifier",
    (r"patch_embed\.proj\.weight", r"layers\.0\.downsample\.norm\.weight", r"head\.3\.weight"),
    (
        *_TIMM_BODY,
        *_MERGE_AT_END,
        (r"head\.0\.", "head.hidden.0."),
        (r"head\.3\.", "head.classifier."),
    ),
    mask_shifted=False,
)
MICROSOFT = Naming(
    "Microsoft",
    (r"patch_embed\.proj\.weight", r"layers\.0\.downsample\.norm\.weight"),
    (*_TIMM_BODY, *_MERGE_AT_END, (r"head\.", "head.classifier.")),
)
TIMM = Naming(
    "timm",
    (r"patch_embed\.proj\.weight",),
    (
        *_TIMM_BODY,
        (r"layers\.(\d+)\.downsample\.(norm|reduction)\.", r"stages.\1.merge.\2."),
        (r"head\.fc\.", "head.classifier."),
    ),
)
# Published files for transformers, and its save_pretrained.
TRANSFORMERS = Naming(
    "transformers",
    (
        r"(?:swin\.)?embeddings\.patch_embeddings\.projection\.weight",
        r"(?:swin\.)?encoder\.layers\.0\.blocks\.0\.attention\.self\.query\.weight",
    ),
    (
        *_TRANSFORMERS_BODY,
        (_TRANSFORMERS_BLOCK + r"layernorm_before\.", _OURS + "norm1."),
        (_TRANSFORMERS_BLOCK + r"layernorm_after\.", _OURS + "norm2."),
        (
            _TRANSFORMERS_BLOCK + r"attention\.self\.relative_position_bias_table$",
            _OURS + "attention.bias_table",
        ),
        (_TRANSFORMERS_BLOCK + r"attention\.self\.query\.", _OURS + "attention.qkv[0]."),
        (_TRANSFORMERS_BLOCK + r"attention\.self\.key\.", _OURS + "attention.qkv[1]."),
        (_TRANSFORMERS_BLOCK + r"attention\.self\.value\.", _OURS + "attention.qkv[2]."),
        (_TRANSFORMERS_BLOCK + r"attention\.output\.dense\.", _OURS + "attention.proj."),
        (_TRANSFORMERS_BLOCK + r"intermediate\.dense\.", _OURS + "mlp.expand."),
        (_TRANSFORMERS_BLOCK + r"output\.dense\.", _OURS + "mlp.reduce."),
    ),
)
# Names in memory (transformers 5.23), hence in a state_dict saved by hand.
TRANSFORMERS_IN_MEMORY = Naming(
    "transformers (in memory)",
    (
        r"(?:swin\.)?embeddings\.patch_embeddings\.projection\.weight",
        r"(?:swin\.)?encoder\.layers\.0\.blocks\.0\.attention\.q_proj\.weight",
    ),
    (
        *_TRANSFORMERS_BODY,
        (_TRANSFORMERS_BLOCK + r"layernorm_before\.", _OURS + "norm1."),
        (_TRANSFORMERS_BLOCK + r"layernorm_after\.", _OURS + "norm2."),
        (
            _TRANSFORMERS_BLOCK
            + r"attention\.relative_position_bias\.relative_position_bias_table$",
            _OURS + "attention.bias_table",
        ),
        (_TRANSFORMERS_BLOCK + r"attention\.q_proj\.", _OURS + "attention.qkv[0]."),
        (_TRANSFORMERS_BLOCK + r"attention\.k_proj\.", _OURS + "attention.qkv[1]."),
        (_TRANSFORMERS_BLOCK + r"attention\.v_proj\.", _OURS + "attention.qkv[2]."),
        (_TRANSFORMERS_BLOCK + r"attention\.o_proj\.", _OURS + "attention.proj."),
        (_TRANSFORMERS_BLOCK + r"mlp\.fc1\.", _OURS + "mlp.expand."),
        (_TRANSFORMERS_BLOCK + r"mlp\.fc2\.", _OURS + "mlp.reduce."),
    ),
)


def openmmlab_layout(path: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """OpenMMLab's patch merging: channels before positions, positions row-major."""
    if ".merge." in path and array.ndim and array.shape[-1] % 4 == 0:
        places = array.reshape(*array.shape[:-1], -1, 4)[..., [0, 2, 1, 3]]
        array = places.swapaxes(-1, -2).reshape(array.shape)
    return our_layout(path, array)


_OPENMMLAB_BLOCK = r"(?:backbone\.)?stages\.(\d+)\.blocks\.(\d+)\."
OPENMMLAB = Naming(
    "OpenMMLab",
    (
        r"(?:backbone\.)?patch_embed\.projection\.weight",
        r"(?:backbone\.)?stages\.0\.blocks\.0\.attn\.w_msa\.qkv\.weight",
    ),
    (
        (r"(?:backbone\.)?patch_embed\.projection\.", "stem.proj."),
        (r"(?:backbone\.)?patch_embed\.norm\.", "stem.norm."),
        (_OPENMMLAB_BLOCK + r"(norm1|norm2)\.", _OURS + r"\3."),
        (
            _OPENMMLAB_BLOCK + r"attn\.w_msa\.relative_position_bias_table$",
            _OURS + "attention.bias_table",
        ),
        (_OPENMMLAB_BLOCK + r"attn\.w_msa\.(qkv|proj)\.", _OURS + r"attention.\3."),
        (_OPENMMLAB_BLOCK + r"ffn\.layers\.0\.0\.", _OURS + "mlp.expand."),
        (_OPENMMLAB_BLOCK + r"ffn\.layers\.1\.", _OURS + "mlp.reduce."),
        (
            r"(?:backbone\.)?stages\.(\d+)\.downsample\.(norm|reduction)\.",
            r"stages.\1+1.merge.\2.",
        ),
        (r"(?:backbone\.)?norm3\.", "head.norm."),
        (r"head\.fc\.", "head.classifier."),
    ),
    layout=openmmlab_layout,
)
# More specific namings first.
NAMINGS = (ORIGINAL, MICROSOFT, TIMM, TRANSFORMERS, TRANSFORMERS_IN_MEMORY, OPENMMLAB)
