"""Training a reward model on preferences (Bradley and Terry 1952; Ouyang et al. 2022).

Starts from a causal language model (or an encoder): its trunk gets a head with one output, and the
log-odds of a preference are the difference of two scores. kind="token" sums an output a token over
the response: a small model learns *which words* are wrong that way, and the reward is dense;
kind="sequence" reads one at the end. Afterwards the scale is fitted on held-out pairs, so that
differences are calibrated log-odds, and the mean score is moved to zero; both go into the head, and
what is saved is a plain Hugging Face checkpoint with a model card. Ctrl-C ends the training, not the
run: the best weights so far are scaled, measured and saved. With several `heads` the trunk
has an ensemble's members for outputs, each of which sees its own bootstrap of the prompts. Left out: rankings other
than by their pairs, resuming.

    metrics = train_reward_model(read_preferences("pairs.jsonl"), "path/of/policy", output="path/of/reward")
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from textgym.feedback.preferences import Preference, split_by_prompt
from textgym.feedback.raters import accuracy_ceiling
from textgym.files import new_folder
from textgym.models.arithmetic import arithmetic, compiled, require_compiling
from textgym.models.language_model import DTYPES, turn_off_dropout
from textgym.models.lora import add_lora, merge
from textgym.rewards.calibration import fit_scale, pair_metrics, preference_loss
from textgym.rewards.card import write_card
from textgym.rewards.ceiling import rater_ceiling
from textgym.rewards.encoding import load_reward_tokenizer
from textgym.rewards.head import Head, load_trunk
from textgym.rewards.judged import decided
from textgym.rewards.length import fit_length_correction, write_correction
from textgym.rewards.network import HEADS, Kind, max_positions, quietly
from textgym.rewards.objectives import OBJECTIVES, Objective, require_fit
from textgym.rewards.sharing import Comparisons, can_share_prompts, encode_comparisons, score_comparisons
from textgym.rewards.steps import cosine, fits, parameter_groups, progress, require_same_scores
from textgym.rewards.stored import write_shared_ensemble


@dataclass(frozen=True)
class RewardTrainConfig:
    """How a reward model is trained."""

    kind: Kind = "token"
    objective: Objective = "auto"  # what is learned: pairs, or ratings; auto: ratings where the data holds nothing else
    attributes: str | None = None  # of ratings: name=weight,… of what is rated; None: the overall rating
    standardise_raters: bool = False  # ratings with each rater's mean and spread taken out (regression)
    epochs: float = 2.0
    batch_size: int = 64  # pairs
    learning_rate: float = 3e-4  # for small models; 1e-5 suits large pretrained ones
    weight_decay: float = 0.01
    warmup: float = 0.05  # share of all steps
    max_grad_norm: float = 1.0
    centering: float = 0.01  # pull of a pair's mean score towards zero (Eisenstein et al. 2023)
    margin_scale: float = 1.0  # the preferences' margins times this; 0 leaves them out of the loss
    length_control: bool = False  # takes out of the scores, after training, what goes with the responses' lengths
    heads: int = 1  # outputs on one trunk, an ensemble: each trains on its own bootstrap of the prompts (kind sequence)
    lora_rank: int = 0  # of adapters that train in place of the trunk; 0: the whole trunk trains
    validation_share: float = 0.1  # of the prompts: early stop, scale and centre
    test_share: float = 0.1  # of the prompts: the figures that are reported
    evaluations: int = 8  # on the validation pairs, over the whole run
    patience: int = 3  # evaluations without improvement before the run stops
    dtype: str = "float32"  # "bfloat16": mixed precision, faster where the CPU or GPU has it
    compile: bool = False  # training passes through torch.compile: about a minute to start, and less a step
    device: str = "cpu"
    seed: int = 0
    split_seed: int | None = None  # of the division of the prompts; None: seed (an ensemble has one division)

    def __post_init__(self) -> None:
        if self.kind not in HEADS:
            raise ValueError(f"kind must be one of {list(HEADS)}, got {self.kind!r}")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {list(OBJECTIVES)}, got {self.objective!r}")
        require_fit(self)
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {list(DTYPES)}, got {self.dtype!r}")
        for name in ("epochs", "batch_size", "learning_rate", "max_grad_norm", "evaluations", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 1 <= self.heads <= 100:
            raise ValueError(f"heads must be from 1 to 100, got {self.heads}")
        if self.heads > 1 and self.kind != "sequence":
            raise ValueError(f"heads must be 1 for kind={self.kind!r}, got {self.heads}; kind='sequence' has several")
        for name in ("weight_decay", "centering", "warmup", "margin_scale", "lora_rank"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.compile:
            require_compiling(self.device)
        for name in ("validation_share", "test_share"):
            if not 0 < getattr(self, name) < 0.5:
                raise ValueError(f"{name} must be between 0 and 0.5, got {getattr(self, name)}")


def train_reward_model(
    preferences: Sequence[Preference],
    model: str | Path,
    tokenizer: Any = None,
    output: str | Path = "reward",
    config: RewardTrainConfig | None = None,
    *,
    ceiling: float | None = None,
    notes: Mapping[str, Any] | None = None,
    shows_progress: bool = False,
) -> dict[str, float]:
    """Trains on preferences, saves a checkpoint, returns the figures on held-out test pairs.

    Args:
        preferences: judged pairs; a prompt never stands in two of training, validation and test.
        model: folder or hub name of the language model to start from.
        tokenizer: what `load_tokenizer` takes; default: the model's own.
        output: folder to write; an old one is replaced when all is done, not before.
        ceiling: the best accuracy possible on the test pairs; default: what simulated raters say.
        notes: what else the model card shall say (raters' parameters, where the data is from).
        shows_progress: a progress bar (rich), where installed.

    Returns:
        The figures of `pair_metrics`, with `length_control` also `score_per_100_characters` (what was taken out) and
        two figures as they were `…_uncorrected`, plus `accuracy_ceiling` and `rater_ceiling` where known, `steps`,
        `seconds`, `scale` (the factor that went into the head), `prompts_cut`, `pairs_too_long`
        (left out, because a response alone is longer than the model can read), `member_std` (of several `heads`: how
        far they disagree on a test response) and `interrupted` (1 where Ctrl-C ended the training).
    """
    config = config or RewardTrainConfig()
    if config.objective not in ("auto", "pairs"):
        raise ValueError(f"objective must be 'pairs' for preferences, got {config.objective!r}")
    started = time.perf_counter()
    chat = load_reward_tokenizer(model if tokenizer is None else tokenizer)
    network = load_trunk(model, config.kind, chat, config.seed, config.heads)
    write_correction(network.config, None)  # of another training, whose scores were others
    turn_off_dropout(network)
    if config.lora_rank:
        add_lora(network, config.lora_rank, seed=config.seed, trains_head=True)
    network.to(config.device)
    run = _Run(network, config, chat.pad)
    limit = max_positions(network.config)
    readable = [p for p in preferences if all(fits(chat, t, limit) for t in p.transcripts)]
    validation, test, training = split_for_training(readable, config)
    parts = [encode_comparisons(chat, part, limit, config.batch_size) for part in (training, validation, test)]
    run.choose_layout(parts[0])

    steps = run.fit(parts[0], training, parts[1], validation, shows_progress)
    if config.lora_rank:
        merge(network)
    chosen, rejected = run.mean_score(parts[1])
    scale = fit_scale(chosen - rejected, _weights(validation))
    head = Head(network, config.kind)
    head.multiply(scale)
    head.shift_mean_to_zero([c for group in parts[1] for c in group.conversations], chat.pad)

    chosen, rejected = run.mean_score(parts[2])
    metrics = pair_metrics(chosen, rejected, _lengths(test), _prompt_numbers(test))
    if config.length_control:
        correction = fit_length_correction(*run.mean_score(parts[1]), _lengths(validation), _weights(validation))
        write_correction(network.config, correction)
        chosen, rejected = (s - correction.of(n) for s, n in zip((chosen, rejected), _lengths(test), strict=True))
        before = {f"{name}_uncorrected": metrics[name] for name in ("accuracy", "score_length_correlation")}
        metrics = pair_metrics(chosen, rejected, _lengths(test), _prompt_numbers(test)) | before
        metrics["score_per_100_characters"] = 100 * correction.per_character
    ceiling = accuracy_ceiling(test) if ceiling is None else ceiling
    if ceiling is not None:
        metrics["accuracy_ceiling"] = ceiling
    cut = sum(c.prompt_tokens_cut > 0 for part in parts for group in part for c in group.conversations)
    among = rater_ceiling(test)
    if among is not None:
        metrics["rater_ceiling"] = among.accuracy
    metrics |= {"steps": float(steps), "seconds": time.perf_counter() - started, "scale": scale, "prompts_cut": cut}
    if len(readable) < len(preferences):
        metrics["pairs_too_long"] = float(len(preferences) - len(readable))
    if run.interrupted:
        metrics["interrupted"] = 1.0
    if config.heads > 1:
        metrics["member_std"] = float(np.mean([s.std(axis=-1).mean() for s in run.score(parts[2])]))
    with new_folder(output) as folder:
        with quietly():
            network.save_pretrained(folder)
        if config.heads > 1:
            write_shared_ensemble(folder)
        chat.hf.save_pretrained(folder)
        write_card(folder / "README.md", preferences, str(model), config, metrics, notes or {})
        require_same_scores(folder, [p.transcripts[0] for p in test[:8]], chosen[:8], config.device)
    return metrics


def split_for_training(preferences: Sequence[Preference], config: RewardTrainConfig) -> list[list[Preference]]:
    """Validation, test and training preferences; the test has one preference for the halves of a soft label or tie."""
    seed = config.seed if config.split_seed is None else config.split_seed
    validation, test, training = split_by_prompt(preferences, [config.validation_share, config.test_share], seed=seed)
    test = decided(test)
    if not test:
        raise ValueError("preferences leave no decided pair for the test: all of its pairs are ties")
    return [validation, test, training]


class _Run:
    """One network in training."""

    def __init__(self, network: Any, config: RewardTrainConfig, padding: int) -> None:
        self.network, self.config, self.padding = network, config, padding
        self.trained = compiled(network) if config.compile else network  # the same weights
        self.device, self.dtype = torch.device(config.device), DTYPES[config.dtype]
        self.shares_prompt = False
        self.interrupted = False
        self.rng = np.random.default_rng(config.seed)

    def choose_layout(self, groups: Sequence[Comparisons]) -> None:
        self.network.eval()
        rows = [row for group in groups[:4] for row in group.rows]
        self.shares_prompt = can_share_prompts(self.network, self.config.kind, rows, self.padding)

    def fit(
        self,
        groups: Sequence[Comparisons],
        preferences: Sequence[Preference],
        validation_groups: Sequence[Comparisons],
        validation: Sequence[Preference],
        shows_progress: bool,
    ) -> int:
        """Trains until the validation loss no longer falls; the best weights stay. How many steps were taken.

        Ctrl-C does the same, once there are weights that were evaluated.
        """
        config, network = self.config, self.network
        drawn = bootstrapped(_weights(preferences), _prompt_numbers(preferences), config.heads, config.seed)
        weights = torch.tensor(drawn, dtype=torch.float32, device=self.device)
        margins = torch.tensor([p.margin for p in preferences], dtype=torch.float32, device=self.device)
        margins = margins if config.heads == 1 else margins[:, None]
        margins = margins * config.margin_scale
        total = max(1, round(config.epochs * len(preferences) / config.batch_size))
        optimizer = torch.optim.AdamW(parameter_groups(network, config.weight_decay), lr=config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, total, config.warmup))
        check_at = set(np.linspace(0, total, config.evaluations + 1).round().astype(int)[1:].tolist())
        best, best_weights, since_best, step = math.inf, None, 0, 0
        with progress(total, shows_progress) as report:
            try:
                for step, batch in enumerate(self._batches(groups, total), start=1):
                    loss = self._step(batch, weights, margins, optimizer, step)
                    schedule.step()
                    if step in check_at:
                        differences = np.subtract(*self.mean_score(validation_groups))
                        held_out = preference_loss(differences, _weights(validation))
                        since_best += 1
                        if held_out < best:
                            best, since_best = held_out, 0
                            best_weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
                    report(step, f"loss {loss:.3f}, held-out {best:.3f}")
                    if since_best >= config.patience:
                        break
            except KeyboardInterrupt:
                if best_weights is None:
                    raise
                self.interrupted = True
        assert best_weights is not None, "the last step is always evaluated"
        network.load_state_dict(best_weights)
        network.eval()
        return step

    def _step(self, batch: list[Comparisons], weights: Tensor, margins: Tensor, optimizer: Any, step: int) -> float:
        """One update; its loss."""
        config, network = self.config, self.network
        network.train()
        rows = [n for group in batch for n in group.pairs]
        with arithmetic(self.device, self.dtype):
            chosen, rejected = score_comparisons(self.trained, config.kind, batch, self.padding, self.shares_prompt)
        loss = bradley_terry_loss(chosen, rejected, weights[rows], margins[rows], config.centering)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss.item()} in step {step}; lower learning_rate")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.max_grad_norm)
        optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def score(self, groups: Sequence[Comparisons]) -> tuple[np.ndarray, np.ndarray]:
        """(n,) float32 scores of the chosen and of the rejected ones, in full precision; (n, K) of K > 1 heads."""
        self.network.eval()
        size = (2, sum(len(group.pairs) for group in groups))
        both = np.zeros(size if self.config.heads == 1 else (*size, self.config.heads), dtype=np.float32)
        by_length = sorted(groups, key=lambda group: group.length)
        for batch in _fill(by_length, self.config.batch_size):
            scores = score_comparisons(self.network, self.config.kind, batch, self.padding, self.shares_prompt)
            both[:, [n for group in batch for n in group.pairs]] = torch.stack(scores).cpu().numpy()
        return both[0], both[1]

    def mean_score(self, groups: Sequence[Comparisons]) -> tuple[np.ndarray, np.ndarray]:
        """(n,) float32 scores of the chosen and of the rejected ones, the mean over the heads."""
        chosen, rejected = self.score(groups)
        return (chosen, rejected) if chosen.ndim == 1 else (chosen.mean(axis=1), rejected.mean(axis=1))

    def _batches(
        self, groups: Sequence[Comparisons], total: int, batches_sorted: int = 16
    ) -> Iterator[list[Comparisons]]:
        """`total` batches of about `batch_size` pairs, each of similar lengths, in random order."""
        size, made = self.config.batch_size, 0
        while True:
            shuffled = [groups[i] for i in self.rng.permutation(len(groups))]
            batches: list[list[Comparisons]] = []
            for chunk in _fill(shuffled, size * batches_sorted):
                batches += _fill(sorted(chunk, key=lambda group: group.length), size)
            for k in self.rng.permutation(len(batches)):
                if made == total:
                    return
                made += 1
                yield batches[k]


def _fill(groups: Sequence[Comparisons], num_pairs: int) -> list[list[Comparisons]]:
    """Groups in their order, in batches of at least `num_pairs` pairs, the last perhaps of fewer."""
    batches: list[list[Comparisons]] = [[]]
    found = 0
    for group in groups:
        if found >= num_pairs:
            batches.append([])
            found = 0
        batches[-1].append(group)
        found += len(group.pairs)
    return batches


def bradley_terry_loss(
    chosen: Tensor, rejected: Tensor, weights: Tensor, margins: Tensor, centering: float = 0.0
) -> Tensor:
    """Weighted mean of -log sigmoid(chosen - rejected - margin), plus the pull of each pair's mean to zero.

    All (B,) float32 -> scalar. Or scores and weights (B, K), one column a head, and margins (B, 1).
    """
    losses = -F.logsigmoid(chosen - rejected - margins) + centering * ((chosen + rejected) / 2).square()
    return (weights * losses).sum() / weights.sum().clamp_min(1e-8)


def bootstrapped(weights: np.ndarray, prompts: Sequence[int], heads: int, seed: int) -> np.ndarray:
    """(n,) weights -> (n, K), for each of K > 1 heads times how often a draw with replacement has the prompt.

    A head so learns from about 63% of the prompts (Efron & Tibshirani 1993, ch. 6), and the heads differ in what
    they know. One head learns from all.
    """
    if heads == 1:
        return weights
    rng, k = np.random.default_rng([seed, heads]), max(prompts) + 1
    return weights[:, None] * rng.multinomial(k, np.full(k, 1 / k), size=heads).T[np.asarray(prompts)]


def _weights(preferences: Sequence[Preference]) -> np.ndarray:
    return np.array([p.weight for p in preferences], dtype=np.float64)


def _lengths(preferences: Sequence[Preference]) -> tuple[np.ndarray, np.ndarray]:
    """Characters of the responses, (n,) for the chosen and for the rejected ones."""
    both = np.array([[sum(map(len, t.responses)) for t in p.transcripts] for p in preferences], dtype=np.float64)
    return both[:, 0], both[:, 1]


def _prompt_numbers(preferences: Sequence[Preference]) -> list[int]:
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(p.prompt, len(numbers)) for p in preferences]
