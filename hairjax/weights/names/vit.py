"""Parameter names of a ViT in timm."""

from hairjax.weights.naming import Naming, Table

# Twelve blocks in four stages of three.
_BLOCKS: Table = tuple(
    (rf"blocks\.{n}\.{theirs}\.", f"stages.{n // 3}.blocks.{n % 3}.{ours}.")
    for n in range(12)
    for theirs, ours in (
        ("norm1", "norm1"),
        (r"attn\.qkv", "attention.qkv"),
        (r"attn\.proj", "attention.proj"),
        ("norm2", "norm2"),
        (r"mlp\.fc1", "mlp.expand"),
        (r"mlp\.fc2", "mlp.reduce"),
    )
)
TIMM = Naming(
    "timm",
    (r"patch_embed\.proj\.weight", r"cls_token", r"pos_embed"),
    (
        (r"patch_embed\.proj\.", "stem.proj."),
        (r"cls_token$", "stem.token"),
        (r"pos_embed$", "stem.position"),
        *_BLOCKS,
        (r"norm\.", "head.norm."),
        (r"head\.", "head.classifier."),
    ),
)
NAMINGS = (TIMM,)
