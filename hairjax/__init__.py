"""Fine-tune a Swin Transformer to grade hair loss from photographs and hair masks."""

from hairjax.models import create_model, list_models

__all__ = ["create_model", "list_models"]
