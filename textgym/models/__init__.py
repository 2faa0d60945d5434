"""Language models and tokenizers: load, generate, score. The rest stands in the modules."""

from textgym.models.policy import Policy, load_policy

__all__ = ["Policy", "load_policy"]
