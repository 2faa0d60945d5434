"""From what a user writes as `reward=` to a reward model.

Names and tables stay here, at the outer edge: the classes take objects. A string may be a number or a
dict as JSON, so that a command line can say all of it. Whatever imports torch is imported when it is
asked for.
"""

from __future__ import annotations

import difflib
import inspect
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textgym import checks
from textgym.models.places import looks_like_path
from textgym.rewards.chat_judge import ChatJudge
from textgym.rewards.combine import Ensemble, WeightedSum
from textgym.rewards.metrics import METRICS, MetricReward
from textgym.rewards.remote import RemoteReward
from textgym.rewards.simple import ConstantReward, FunctionReward, GoldReward
from textgym.tasks.base import Task
from textgym.tasks.records import RecordTask
from textgym.types import RewardModel

EMBEDDED = Path(__file__).parent.parent / "assets" / "rewards"
METRIC_CHOICES = tuple(f'"{name}"' for name in METRICS)
CHOICES = (
    '"learned"',
    '"gold"',
    *METRIC_CHOICES,
    'a number or "constant:<number>"',
    "a folder or hub name of a trained reward model",
    '"http(s)://…/classify" or "http(s)://…/get_reward"',
    'a dict {"type": "learned" | "gold" | "metric" | "constant" | "remote" | "judge" | "ensemble" | "sum", …}, '
    "or that as JSON",
    "a function of a transcript",
    "an object with score(transcripts)",
)


def load_reward(spec: Any, *, task: Task, name: str, has_own_data: bool, device: str = "cpu") -> RewardModel:
    """The reward model that `spec` says.

    Args:
        spec: what a user wrote; see `CHOICES`. None is "learned" for an embedded task.
        task: what the episodes come from; "gold" asks it.
        name: the task's name, under which its embedded reward model lies.
        has_own_data: whether the examples are the user's own.
        device: where a learned reward model computes.

    Raises:
        ValueError: an unknown choice or key, a reward that this task cannot have, nothing that loads.
        TypeError: a spec of no known form.
    """
    return _Loader(task, name, has_own_data, device).load(spec)


class _Loader:
    def __init__(self, task: Task, name: str, has_own_data: bool, device: str) -> None:
        self.task, self.name, self.has_own_data, self.device = task, name, has_own_data, device

    def load(self, spec: Any) -> RewardModel:
        if spec is None:
            if self.has_own_data:
                raise ValueError(f"reward must be given with data of your own; it can be {self.choices()}")
            return self.embedded()
        if isinstance(spec, bool | np.bool_):
            raise TypeError(f"reward must not be a bool, got {spec}; it can be {self.choices()}")
        if isinstance(spec, str):
            if not spec.strip():
                raise ValueError(f"reward must not be empty; it can be {self.choices()}")
            spec = _read_text(spec)
        if isinstance(spec, int | float | np.integer | np.floating):
            return self.constant(spec)
        if isinstance(spec, Path):
            return self.stored(spec)
        if isinstance(spec, str):
            return self.by_name(spec)
        if isinstance(spec, Mapping):
            return self.by_type(dict(spec))
        if inspect.isclass(spec):
            raise TypeError(f"reward must be an object, got the class {spec.__name__}: make one of it")
        if callable(getattr(spec, "score", None)):
            return spec
        if hasattr(spec, "get_input_embeddings"):
            raise TypeError(
                "reward is a bare transformers model, whose tokenizer is unknown: give LearnedReward(model, tokenizer)"
            )
        if callable(spec):
            return FunctionReward(spec)
        raise TypeError(f"reward cannot be a {type(spec).__name__}; it can be {self.choices()}")

    def choices(self) -> str:
        """What `reward=` may be for this task."""
        cannot: set[str] = set()
        if self.has_own_data:
            cannot.add('"learned"')
        if not callable(getattr(self.task, "judge", None)):
            cannot.add('"gold"')
        if self.has_embedded_user() or (isinstance(self.task, RecordTask) and self.task.num_without_reference):
            cannot.update(METRIC_CHOICES)
        return "; ".join(choice for choice in CHOICES if choice not in cannot)

    def has_embedded_user(self) -> bool:
        """Whether episodes are conversations of an embedded task, whose references are first turns."""
        return not self.has_own_data and callable(getattr(self.task, "reply", None))

    def by_name(self, spec: str) -> RewardModel:
        if spec == "learned":
            return self.embedded()
        if spec == "gold":
            return GoldReward(self.task)
        if spec in METRICS:
            return self.metric(spec)
        if spec.startswith("constant:"):
            return self.constant(spec.removeprefix("constant:"))
        if spec.startswith(("http://", "https://")):
            return RemoteReward(spec)
        is_hub_name = re.fullmatch(r"[\w.-]+/[\w.-]+", spec) is not None
        if is_hub_name or Path(spec).is_dir() or ("://" not in spec and looks_like_path(spec)):
            return self.stored(spec)
        close = difflib.get_close_matches(spec, ["learned", "gold", *METRICS], n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"reward {spec!r} is unknown{hint}; it can be {self.choices()}")

    def by_type(self, spec: dict[str, Any]) -> RewardModel:
        makers: dict[str, Callable[..., RewardModel]] = {
            "learned": self.learned,
            "gold": self.gold,
            "metric": self.metric,
            "constant": self.constant,
            "remote": RemoteReward,
            "judge": ChatJudge,
            "ensemble": self.ensemble,
            "sum": self.sum,
        }
        kind = spec.pop("type", None)
        if not isinstance(kind, str) or kind not in makers:
            raise ValueError(f'reward must be a dict with a "type" of {list(makers)}, got {kind!r}')
        signature = inspect.signature(makers[kind])
        known = list(signature.parameters)
        unknown = [key for key in spec if key not in known]
        missing = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name not in spec]
        if unknown or missing:
            raise ValueError(
                f"reward of type {kind!r} takes the keys {known}"
                + (f", got the unknown {unknown}" if unknown else "")
                + (f", lacks {missing}" if missing else "")
            )
        return makers[kind](**spec)

    def embedded(self, dtype: str = "float32", batch_tokens: int = 16384) -> RewardModel:
        if self.has_own_data:
            raise ValueError(
                'reward "learned" knows the embedded task only, it would score your own data with noise; '
                f"reward can be {self.choices()}"
            )
        folder = EMBEDDED / self.name
        if not folder.is_dir():
            raise ValueError(
                f'reward "learned" finds no reward model for {self.name!r} in this installation: '
                "install textgym anew, or build the embedded models with `textgym train assets`"
            )
        return self.learned(folder, dtype=dtype, batch_tokens=batch_tokens)

    def learned(
        self,
        path: Any = None,
        tokenizer: Any = None,
        dtype: str = "float32",
        batch_tokens: int = 16384,
        weights: Mapping[str, float] | None = None,
    ) -> RewardModel:
        if path is None:
            if tokenizer is not None or weights is not None:
                raise ValueError('reward of type "learned" takes tokenizer and weights only with a path')
            return self.embedded(dtype, batch_tokens)
        if self.has_own_data and EMBEDDED.resolve() in Path(path).resolve().parents:
            return self.embedded()  # which says why not
        checks.text("tokenizer of a reward", tokenizer) if isinstance(tokenizer, str) else None
        batch_tokens = checks.whole("batch_tokens of a reward", batch_tokens, least=1)
        from textgym.rewards.learned import LearnedReward

        return LearnedReward(path, tokenizer, self.device, dtype, batch_tokens, weights)

    def gold(self) -> RewardModel:
        return GoldReward(self.task)

    def metric(self, name: str) -> RewardModel:
        reward = MetricReward(name)
        if self.has_embedded_user():
            raise ValueError(
                f"reward {name!r} compares what is said last with references, and those of the embedded {self.name!r} "
                'are first turns; what works is "learned", "gold", or a metric on data of your own'
            )
        if isinstance(self.task, RecordTask):
            self.task.require_references(name)
        return reward

    def constant(self, value: Any) -> RewardModel:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"a constant reward must be a finite number, got {value!r:.60}")
        return ConstantReward(number)

    def stored(self, folder: str | Path) -> RewardModel:
        """A reward model's folder or hub name, or the folder of an ensemble."""
        from textgym.rewards.stored import is_ensemble

        return self.ensemble(path=folder) if is_ensemble(folder) else self.learned(path=folder)

    def ensemble(
        self, models: Sequence[Any] | None = None, combine: Any = None, k: float = 1.0, path: Any = None
    ) -> RewardModel:
        """Of `models`, any rewards, or of the folder `path` that `textgym reward train` wrote for an ensemble."""
        from textgym.rewards.stored import as_ensemble, read_ensemble

        if (models is None) == (path is None):
            raise ValueError(
                f"a reward ensemble must have either models or a path, got models={models!r:.80} and path={path!r:.80}"
            )
        if path is None:
            _require_list("models of a reward ensemble", models)
            combine = "mean" if combine is None else combine
            return Ensemble([self.load(model) for model in models or ()], combine, k)
        if not isinstance(path, Path):
            checks.text("path of a reward ensemble", path, "a folder")
        places, own = read_ensemble(path)
        members = [self.learned(path=place) for place in places]
        return as_ensemble(members, own if combine is None else combine, k)

    def sum(self, parts: Sequence[Mapping[str, Any]]) -> RewardModel:
        """Parts are {"reward": spec, "weight": number, "name": optional}."""
        _require_list("parts of a reward sum", parts)
        made: dict[str, tuple[RewardModel, float]] = {}
        for i, part in enumerate(parts):
            if not isinstance(part, Mapping) or "reward" not in part or not set(part) <= {"reward", "weight", "name"}:
                raise ValueError(
                    f'parts[{i}] of a reward sum must be {{"reward": …, "weight": number, "name": text}}, got {part!r}'
                )
            spec = part["reward"]
            label = str(part.get("name", spec if isinstance(spec, str) and spec.isidentifier() else f"part_{i}"))
            if label in made:
                raise ValueError(f"parts of a reward sum must have different names, got {label!r} twice")
            made[label] = (self.load(spec), checks.number(f"weight of part {label!r}", part.get("weight", 1.0)))
        return WeightedSum(made)


def _require_list(what: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{what} must be a list, got {value!r:.80} of {type(value).__name__}")


def _read_text(spec: str) -> Any:
    """A string that is a number, or a JSON object, as that; any other as it is."""
    if spec.lstrip().startswith("{"):
        try:
            return json.loads(spec)
        except ValueError as error:
            raise ValueError(f"reward looks like JSON and is none ({error}): {spec!r}") from None
    try:
        return float(spec)
    except ValueError:
        return spec
