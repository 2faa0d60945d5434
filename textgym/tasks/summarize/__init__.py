"""Summarize: short news and posts from structured events, with a gold judge."""

from textgym.tasks.summarize.event import Event, Wish
from textgym.tasks.summarize.task import SummarizeTask

__all__ = ["Event", "SummarizeTask", "Wish"]
