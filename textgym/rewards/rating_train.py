"""Training a reward model on ratings of single responses.

Regression: least squares on the mean rating, each response counting as often as it was rated, which is least squares on
the ratings themselves. The score is the expected rating minus the mean of the training ratings, so its unit is a point
of the scale. Ordinal: proportional odds (McCullagh 1980, ordinal.py), the score being the latent; cut points are
learned beside the network, at a rate of their own. Several attributes have an output each of one network, and a weight
with which it goes into the score. Saved is a plain Hugging Face checkpoint; what its outputs mean stands in its config
and card.
Left out: fitting the scale afterwards, which ratings, unlike pairs, fix themselves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from textgym.files import new_folder
from textgym.models.arithmetic import arithmetic
from textgym.models.language_model import DTYPES, turn_off_dropout
from textgym.models.lora import add_lora, merge
from textgym.rewards.card import write_rating_card
from textgym.rewards.encoding import load_reward_tokenizer
from textgym.rewards.head import last_layer, load_trunk
from textgym.rewards.length import write_correction
from textgym.rewards.network import max_positions, quietly
from textgym.rewards.objectives import require_rating_options
from textgym.rewards.ordinal import CutPoints, RatingNote, ordinal_losses, parse_attributes, write_note
from textgym.rewards.rated import Rated, RatedResponses, Standardiser, gather, split_ratings, with_attributes
from textgym.rewards.rating_metrics import measure_ratings, spearman
from textgym.rewards.sharing import Responses, can_share_prompts, encode_responses, score_rows
from textgym.rewards.steps import cosine, fits, parameter_groups, progress, require_same_scores
from textgym.rewards.train import RewardTrainConfig

MOST_LEVELS = 20  # of an ordinal scale
CUTS_RATE = 0.02  # least learning rate of the cut points: a few numbers, in nats, that must spread as the scores do


def train_on_ratings(
    ratings: Sequence[Rated],
    model: str | Path,
    tokenizer: Any = None,
    output: str | Path = "reward",
    config: RewardTrainConfig | None = None,
    *,
    notes: Mapping[str, Any] | None = None,
    shows_progress: bool = False,
) -> dict[str, float]:
    """Trains on ratings, saves a checkpoint, returns the figures on held-out test responses.

    Args: see `train_reward_model` of train.py; `config.objective` "auto" is regression.

    Returns:
        `spearman` with its interval, `kendall`, `rmse` (in points of the scale), `rating_std` (the error of always
        saying the mean), `spearman_<attribute>` of several, `ceiling_…` of one rater against the rest where two named
        raters judged a response and `model_…` against the same ratings, `steps`, `seconds`, `prompts_cut`,
        `responses_too_long` (left out) and `interrupted` as there.
    """
    config = config or RewardTrainConfig()
    require_rating_options(config)
    started = time.perf_counter()
    weights = parse_attributes(config.attributes)
    names = list(weights)
    ratings = with_attributes(ratings, names)
    chat = load_reward_tokenizer(model if tokenizer is None else tokenizer)
    network = load_trunk(model, config.kind, chat, config.seed, attributes=names)
    write_correction(network.config, None)  # of another training, whose scores were others
    turn_off_dropout(network)
    if config.lora_rank:
        add_lora(network, config.lora_rank, seed=config.seed, trains_head=True)
    network.to(config.device)
    limit = max_positions(network.config)
    readable = [r for r in ratings if fits(chat, r.transcript, limit)]
    validation, test, training = split_for_training(readable, config)
    standard = Standardiser(training if config.standardise_raters else [])
    sets = [gather(standard(part), names) for part in (training, validation, test)]
    groups = [encode_responses(chat, part.transcripts, limit) for part in sets]
    run = _Run(network, config, chat.pad, _target(config, sets, names))
    run.choose_layout(groups[0])
    steps = run.fit(groups[0], sets[0], groups[1], sets[1], shows_progress)
    if config.lora_rank:
        merge(network)
    note = run.target.finish(network, config, weights)
    write_note(network.config, note)

    outputs = run.outputs(groups[2])
    scores = (outputs @ np.array(list(weights.values()))).astype(np.float32)
    metrics = _figures(scores, outputs, sets[2], note)
    cut = sum(c.prompt_tokens_cut > 0 for part in groups for g in part for row in g.rows for c in row.conversations)
    metrics |= {"steps": float(steps), "seconds": time.perf_counter() - started, "prompts_cut": float(cut)}
    if len(readable) < len(ratings):
        metrics["responses_too_long"] = float(len({r.transcript for r in ratings} - {r.transcript for r in readable}))
    if run.interrupted:
        metrics["interrupted"] = 1.0
    with new_folder(output) as folder:
        with quietly():
            network.save_pretrained(folder)
        chat.hf.save_pretrained(folder)
        write_rating_card(folder / "README.md", ratings, str(model), config, note, metrics, notes or {})
        require_same_scores(folder, sets[2].transcripts[:8], scores[:8], config.device)
    return metrics


def split_for_training(ratings: Sequence[Rated], config: RewardTrainConfig) -> list[list[Rated]]:
    """Validation, test and training ratings; no two share a prompt."""
    seed = config.seed if config.split_seed is None else config.split_seed
    return split_ratings(ratings, config.validation_share, config.test_share, seed)


class _Squares:
    """Least squares on the mean ratings, in standard deviations of the training ratings."""

    cuts: CutPoints | None = None

    def __init__(self, training: RatedResponses, names: Sequence[str]) -> None:
        total = training.counts.sum(axis=0)
        if not total.all():
            raise ValueError(
                f"attributes must be rated in the training part, got none of {names[int(total.argmin())]!r}"
            )
        said = [np.array([v for one in training.said for a, v, _ in one if a == k]) for k in range(len(names))]
        self.means, self.stds = np.array([v.mean() for v in said]), np.array([v.std() or 1.0 for v in said])

    def tensors(self, responses: RatedResponses) -> tuple[Tensor, Tensor]:
        """(n, K) float32 targets, and weights, 0 where nobody rated."""
        z = np.nan_to_num((responses.means - self.means) / self.stds)
        return torch.tensor(z, dtype=torch.float32), torch.tensor(responses.counts, dtype=torch.float32)

    def loss(self, scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """(B, K) each -> scalar."""
        return (weights * (scores - targets).square()).sum() / weights.sum().clamp_min(1e-8)

    @torch.no_grad()
    def finish(self, network: Any, config: RewardTrainConfig, weights: Mapping[str, float]) -> RatingNote:
        """Puts the outputs on the ratings' scale."""
        layer = last_layer(network)
        scale = torch.tensor(self.stds).to(layer.weight)
        layer.weight.mul_(scale[:, None])
        if layer.bias is not None:
            layer.bias.mul_(scale)
        return RatingNote("regression", dict(weights), tuple(self.means.tolist()), (), ())


class _Levels:
    """Proportional odds with cut points for each attribute."""

    def __init__(self, sets: Sequence[RatedResponses], names: Sequence[str]) -> None:
        values = sorted({value for part in sets for said in part.said for _, value, _ in said})
        if not 2 <= len(values) <= MOST_LEVELS:
            raise ValueError(
                f"objective='ordinal' needs ratings of 2 to {MOST_LEVELS} levels, got {len(values)}; "
                "objective='regression' takes any numbers"
            )
        self.levels, self.names = values, names
        self.cuts = CutPoints(self._counts(sets[0]).sum(axis=0))

    def tensors(self, responses: RatedResponses) -> tuple[Tensor, Tensor]:
        """(n, K, C) float32 how often each level was said, and (n, K) how many that were."""
        counts = torch.tensor(self._counts(responses), dtype=torch.float32)
        return counts, counts.sum(dim=-1)

    def loss(self, scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Mean negative log-likelihood of a rating, nats."""
        losses = targets * ordinal_losses(scores, self.cuts().to(scores.device))
        return losses.sum() / weights.sum().clamp_min(1e-8)

    @torch.no_grad()
    def finish(self, network: Any, config: RewardTrainConfig, weights: Mapping[str, float]) -> RatingNote:
        """The scores are the latents as they are."""
        cuts = tuple(tuple(row) for row in self.cuts().cpu().tolist())
        return RatingNote("ordinal", dict(weights), (), tuple(self.levels), cuts)

    def _counts(self, responses: RatedResponses) -> np.ndarray:
        place = {value: c for c, value in enumerate(self.levels)}
        counts = np.zeros((len(responses.said), len(self.names), len(self.levels)))
        for i, said in enumerate(responses.said):
            for k, value, _ in said:
                counts[i, k, place[value]] += 1
        return counts


def _target(config: RewardTrainConfig, sets: Sequence[RatedResponses], names: Sequence[str]) -> _Squares | _Levels:
    return _Levels(sets, names) if config.objective == "ordinal" else _Squares(sets[0], names)


class _Run:
    """One network in training."""

    def __init__(self, network: Any, config: RewardTrainConfig, padding: int, target: _Squares | _Levels) -> None:
        self.network, self.config, self.padding, self.target = network, config, padding, target
        self.device, self.dtype = torch.device(config.device), DTYPES[config.dtype]
        self.shares_prompt = self.interrupted = False
        self.rng = np.random.default_rng(config.seed)
        parts = [network] if target.cuts is None else [network, target.cuts.to(self.device)]
        self.learned = nn.ModuleList(parts)

    def choose_layout(self, groups: Sequence[Responses]) -> None:
        self.network.eval()
        rows = [row for group in groups[:4] for row in group.rows]
        self.shares_prompt = can_share_prompts(self.network, self.config.kind, rows, self.padding)

    def fit(
        self,
        groups: Sequence[Responses],
        training: RatedResponses,
        validation_groups: Sequence[Responses],
        validation: RatedResponses,
        shows_progress: bool,
    ) -> int:
        """Trains until the validation loss no longer falls; the best weights stay. How many steps were taken."""
        config = self.config
        targets, weights = (t.to(self.device) for t in self.target.tensors(training))
        held_targets, held_weights = self.target.tensors(validation)
        total = max(1, round(config.epochs * len(training.transcripts) / config.batch_size))
        optimizer = torch.optim.AdamW(self._parameter_groups(), lr=config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, total, config.warmup))
        check_at = set(np.linspace(0, total, config.evaluations + 1).round().astype(int)[1:].tolist())
        best, best_weights, since_best, step = math.inf, None, 0, 0
        with progress(total, shows_progress) as report:
            try:
                for step, batch in enumerate(self._batches(groups, total), start=1):
                    loss = self._step(batch, targets, weights, optimizer, step)
                    schedule.step()
                    if step in check_at:
                        held_out = self._held_out(validation_groups, held_targets, held_weights)
                        since_best += 1
                        if held_out < best:
                            best, since_best = held_out, 0
                            best_weights = {k: v.detach().clone() for k, v in self.learned.state_dict().items()}
                    report(step, f"loss {loss:.3f}, held-out {best:.3f}")
                    if since_best >= config.patience:
                        break
            except KeyboardInterrupt:
                if best_weights is None:
                    raise
                self.interrupted = True
        if best_weights is None:
            raise FloatingPointError("no held-out loss was a finite number; lower learning_rate")
        self.learned.load_state_dict(best_weights)
        self.network.eval()
        return step

    @torch.inference_mode()
    def outputs(self, groups: Sequence[Responses]) -> np.ndarray:
        """(n, K) float64 outputs of all responses, in full precision."""
        self.network.eval()
        found: dict[int, np.ndarray] = {}
        for batch in _fill(sorted(groups, key=lambda group: group.length), self.config.batch_size):
            scores = self._scores(batch).double().cpu().numpy()
            found.update(zip([i for group in batch for i in group.members], scores, strict=True))
        return np.stack([found[i] for i in range(len(found))])

    def _scores(self, batch: Sequence[Responses]) -> Tensor:
        """(B, K) float32."""
        rows = [row for group in batch for row in group.rows]
        scores = score_rows(self.network, self.config.kind, rows, self.padding, self.shares_prompt)
        return scores if scores.ndim == 2 else scores[:, None]

    def _step(self, batch: Sequence[Responses], targets: Tensor, weights: Tensor, optimizer: Any, step: int) -> float:
        """One update; its loss."""
        self.network.train()
        members = [i for group in batch for i in group.members]
        with arithmetic(self.device, self.dtype):
            scores = self._scores(batch)
        loss = self.target.loss(scores.float(), targets[members], weights[members])
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss.item()} in step {step}; lower learning_rate")
        optimizer.zero_grad(set_to_none=True)
        cast(Any, loss).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.max_grad_norm)
        optimizer.step()
        return float(loss.item())

    @torch.inference_mode()
    def _held_out(self, groups: Sequence[Responses], targets: Tensor, weights: Tensor) -> float:
        scores = torch.tensor(self.outputs(groups), dtype=torch.float32)
        with torch.device("cpu"):
            return float(self.target.loss(scores, targets, weights))

    def _parameter_groups(self) -> list[dict[str, Any]]:
        groups = parameter_groups(self.network, self.config.weight_decay)
        if self.target.cuts is not None:
            rate = max(CUTS_RATE, self.config.learning_rate)
            groups.append({"params": list(self.target.cuts.parameters()), "weight_decay": 0.0, "lr": rate})
        return groups

    def _batches(self, groups: Sequence[Responses], total: int, batches_sorted: int = 16) -> Iterator[list[Responses]]:
        """`total` batches of about `batch_size` responses, each of similar lengths, in random order."""
        size, made = self.config.batch_size, 0
        while True:
            shuffled = [groups[i] for i in self.rng.permutation(len(groups))]
            batches: list[list[Responses]] = []
            for chunk in _fill(shuffled, size * batches_sorted):
                batches += _fill(sorted(chunk, key=lambda group: group.length), size)
            for k in self.rng.permutation(len(batches)):
                if made == total:
                    return
                made += 1
                yield batches[k]


def _fill(groups: Sequence[Responses], num_responses: int) -> list[list[Responses]]:
    """Groups in their order, in batches of at least `num_responses`, the last perhaps of fewer."""
    batches: list[list[Responses]] = [[]]
    found = 0
    for group in groups:
        if found >= num_responses:
            batches.append([])
            found = 0
        batches[-1].append(group)
        found += len(group.members)
    return batches


def _figures(scores: np.ndarray, outputs: np.ndarray, test: RatedResponses, note: RatingNote) -> dict[str, float]:
    """`measure_ratings` flat, with the correlations of each attribute of several."""
    found = measure_ratings(scores, note.expected(outputs), test, list(note.attributes.values()))
    rho, ceiling = found.pop("spearman"), found.pop("ceiling") or {}
    flat = {"responses": float(found["responses"]), "spearman": rho["value"]}
    flat |= {"spearman_low": rho["low"], "spearman_high": rho["high"]}
    flat |= {name: found[name] for name in ("kendall", "rmse", "rating_std", "score_length_correlation")}
    if len(note.attributes) > 1:
        for k, name in enumerate(note.attributes):
            has = np.isfinite(test.means[:, k])
            flat[f"spearman_{name}"] = spearman(outputs[has, k], test.means[has, k])
    for name in ("spearman", "kendall", "rmse"):
        if ceiling:
            flat[f"ceiling_{name}"] = ceiling[name]
    if ceiling:
        flat["model_on_the_same_spearman"] = ceiling["model_spearman"]
    return flat
