"""TRL 1.12's PPOTrainer as a row of ppo_iteration.py, run with the interpreter that has it.

Its loop is its own and is not changed: a callback holds it between two iterations, and three of its
functions are wrapped to say where the time goes. Chosen in its favour: no gradient checkpointing, no
reports, and in bfloat16 the two frozen models in bfloat16 altogether (TRL itself passes them in float32) and the
update under accelerate's mixed precision, asked for in the environment: with transformers 5, `bf16=True` alone does
not reach the accelerator that PPOTrainer makes.
`--micro-batch` divides its batch in the update; without it the batch goes in one pass.
Nothing of textgym is imported.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from ppo_iteration import arguments
from ppo_work import EPOCHS, PHASES, SIZES, Line, Size, clock, memory, versions

WANTED = "1.12.0"  # later releases have no PPOTrainer


class Phases:
    """Where PPOTrainer's time goes: marks are set by the functions that it calls."""

    def __init__(self, size: Size, device: str) -> None:
        self.size, self.device = size, device
        self.begin()

    def begin(self) -> None:
        self.start, self.worked = clock(self.device), time.process_time()
        self.generation = self.scoring = 0.0
        self.update_began: float | None = None

    def record(self) -> dict[str, Any]:
        """What to say of the iteration that ends now."""
        now = clock(self.device)
        assert self.update_began is not None
        update = now - self.update_began
        passes = now - self.start - self.generation - self.scoring - update
        seconds = (self.generation, self.scoring, passes, update)
        return {
            "total": now - self.start,
            "processor": time.process_time() - self.worked,
            "memory": memory(self.device),
            **dict(zip(PHASES, seconds, strict=True)),
        }

    def watch(self, module: Any, reward: Any, frozen: tuple[Any, ...]) -> None:
        """Wraps the functions of TRL's module."""
        generate, score, forward = module.batch_generation, module.get_reward, module.forward

        def timed_generation(model: Any, queries: Any, *rest: Any) -> Any:
            start = clock(self.device)
            tokens, logits = generate(model, queries, *rest)
            self.generation += clock(self.device) - start
            self.check_counts(queries, tokens)
            return tokens, logits

        def timed_score(model: Any, *rest: Any) -> Any:
            start = clock(self.device)
            found = score(model, *rest)
            self.scoring += (clock(self.device) - start) * (model is reward)
            return found

        def marked_forward(model: Any, *rest: Any) -> Any:
            if self.update_began is None and model not in frozen:
                self.update_began = clock(self.device)
            return forward(model, *rest)

        module.batch_generation, module.get_reward, module.forward = timed_generation, timed_score, marked_forward

    def check_counts(self, queries: Any, tokens: Any) -> None:
        """Raises ValueError where TRL read or wrote other numbers of tokens than the size says."""
        n, p, t = self.size.responses, self.size.prompt_tokens, self.size.new_tokens
        is_right = tuple(queries.shape) == (n, p) and tuple(tokens.shape) == (n, p + t)
        if not is_right or int(tokens.max()) >= self.size.vocabulary:  # ids beyond are padding
            raise ValueError(f"need {n} × ({p} + {t}) tokens, got {tuple(queries.shape)} -> {tuple(tokens.shape)}")


def load(folder: Path, dtype: str, device: str) -> dict[str, Any]:
    """Policy, reference, critic and reward model; the critic's trunk is the policy's."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    language_model: Any = AutoModelForCausalLM
    classifier: Any = AutoModelForSequenceClassification
    frozen = getattr(torch, dtype)
    policy = language_model.from_pretrained(folder / "policy", dtype=torch.float32)
    reference = language_model.from_pretrained(folder / "policy", dtype=frozen)
    reward = classifier.from_pretrained(folder / "reward", dtype=frozen)
    critic = classifier.from_pretrained(folder / "reward", dtype=torch.float32)
    critic.base_model.load_state_dict(policy.base_model.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(folder / "policy")
    # TRL takes any token that equals the padding for padding, sampled ones too: an id that cannot be sampled.
    tokenizer.add_special_tokens({"pad_token": "<never>"})
    return {
        "processing_class": tokenizer,
        "model": policy.to(device),
        "ref_model": reference.to(device),
        "reward_model": reward.to(device),
        "value_model": critic.to(device),
    }


def make_trainer(folder: Path, size: Size, device: str, dtype: str, micro_batch: int, callbacks: list[Any]) -> Any:
    """A PPOTrainer that would go on for ever."""
    from datasets import Dataset
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    if dtype == "bfloat16":
        os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16"
    config = PPOConfig(
        output_dir=str(folder / "trl"),
        use_cpu=device == "cpu",
        bf16=dtype == "bfloat16",
        gradient_checkpointing=False,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=size.responses // micro_batch,
        num_mini_batches=1,
        num_ppo_epochs=EPOCHS,
        local_rollout_forward_batch_size=size.responses,
        response_length=size.new_tokens,
        temperature=1.0,
        total_episodes=size.responses * 10**6,
        learning_rate=1e-5,
        num_sample_generations=0,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    prompts = Dataset.from_dict({"input_ids": json.loads((folder / "prompts.json").read_text())})
    return PPOTrainer(config, train_dataset=prompts, callbacks=callbacks, **load(folder, dtype, device))


def holding(line: Line, phases: Phases, about: Callable[[], dict[str, Any]]) -> Any:
    """A callback that lets one iteration go for each line that comes in."""
    from transformers import TrainerCallback

    class Hold(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            line.say(versions=about())
            self._wait()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            line.say(**phases.record())
            self._wait()

        def _wait(self) -> None:
            if not line.wait():
                raise SystemExit
            phases.begin()

    return Hold()


def main() -> None:
    options = arguments().parse_args()
    line = Line()
    found = versions("trl", "torch", "transformers", "accelerate")
    if found["trl"] != WANTED:
        raise SystemExit(f"trl must be {WANTED}, found {found['trl']}")
    from trl.experimental.ppo import ppo_trainer

    size = SIZES[options.size]
    phases = Phases(size, options.device)
    callback = holding(line, phases, lambda: found)
    micro_batch = options.micro_batch or size.responses
    trainer = make_trainer(options.folder, size, options.device, options.dtype[0], micro_batch, [callback])
    phases.watch(ppo_trainer, trainer.reward_model, (trainer.ref_model,))
    trainer.train()


if __name__ == "__main__":
    main()
