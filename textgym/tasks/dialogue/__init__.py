"""Bookings: a simulated user with a goal and a temper, and the judge of the whole conversation."""

from textgym.tasks.dialogue.task import DialogueTask

__all__ = ["DialogueTask"]
