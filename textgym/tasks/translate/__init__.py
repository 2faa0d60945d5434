"""English to German: see `task`."""

from textgym.tasks.translate.task import TranslateTask

__all__ = ["TranslateTask"]
