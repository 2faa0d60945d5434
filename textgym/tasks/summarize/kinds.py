"""All kinds of event, by name."""

from __future__ import annotations

from textgym.tasks.summarize.event import Kind
from textgym.tasks.summarize.kinds_people import PEOPLE_KINDS
from textgym.tasks.summarize.kinds_posts import POST_KINDS
from textgym.tasks.summarize.kinds_town import TOWN_KINDS

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*TOWN_KINDS, *PEOPLE_KINDS, *POST_KINDS)}
KIND_LIST: tuple[Kind, ...] = tuple(KINDS.values())
