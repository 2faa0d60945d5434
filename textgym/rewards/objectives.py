"""What a reward model can be trained to say, and which other options go with it."""

from __future__ import annotations

from typing import Any, Literal, get_args

from textgym.rewards.ordinal import parse_attributes

Objective = Literal["auto", "pairs", "regression", "ordinal"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


def require_fit(config: Any) -> None:
    """Raises ValueError where options of a `RewardTrainConfig` speak of another objective."""
    weights = parse_attributes(config.attributes)
    names = list(weights)
    if len(names) == 1 and weights[names[0]] != 1:
        raise ValueError(f"attributes must give a single attribute the weight 1, got {config.attributes!r}")
    if config.objective == "pairs":
        for name, off in (("attributes", None), ("standardise_raters", False)):
            if getattr(config, name) != off:
                raise ValueError(f"{name} must be left out for objective='pairs', got {getattr(config, name)!r}")
    if config.standardise_raters and config.objective == "ordinal":
        raise ValueError("standardise_raters must be False for objective='ordinal', whose levels it would take apart")
    if len(names) > 1 and config.kind != "sequence":
        raise ValueError(
            f"attributes must be one for kind={config.kind!r}, got {names}; kind='sequence' has an output for each"
        )
    if config.objective in ("regression", "ordinal"):
        require_rating_options(config)


def require_rating_options(config: Any) -> None:
    """Raises ValueError where options speak of pairs and ratings are to be learned."""
    for name, off in (("heads", 1), ("length_control", False), ("compile", False)):
        if getattr(config, name) != off:
            raise ValueError(f"{name} must be {off} for ratings, got {getattr(config, name)}: it is made for pairs")
