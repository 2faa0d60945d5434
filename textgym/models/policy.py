"""A policy to talk to: prompts as texts or messages in, answers as texts out.

    policy = load_policy("runs/Summarize-v0-seed0")
    print(policy.generate("Sum this up: …"))

The loop is that of the rollouts (generate.py), so a policy says here what it says in an environment: its own
tokenizer, no control tokens, one end of turn. Left out: streaming, top-k and top-p, and log-probabilities, for which
there is `generate` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textgym import checks
from textgym.messages import as_messages, is_one_prompt
from textgym.types import Message

MAX_NEW_TOKENS = 128
BATCH = 64  # prompts read at once


class Policy:
    """A causal language model and its tokenizer.

    Args:
        model: what `load_language_model` returns.
        tokenizer: a `ChatTokenizer`.

    Raises:
        ValueError: a tokenizer with more ids than the model has.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        from textgym.models.language_model import forbidden_tokens, require_fit

        require_fit(model, tokenizer)
        self.model, self.tokenizer = model, tokenizer
        self._forbidden = forbidden_tokens(model, tokenizer)

    def generate(
        self,
        prompt: Any,
        *,
        samples: int | None = None,
        temperature: float = 0.0,
        max_new_tokens: int = MAX_NEW_TOKENS,
        seed: int = 0,
    ) -> Any:
        """What the policy answers; the same arguments give the same texts.

        Args:
            prompt: a text (a user's message), or a list of messages, each {"role": …, "content": …} or a `Message`,
                the last not the assistant's; or a list of n such prompts.
            samples: answers a prompt; None: one, not in a list.
            temperature: 0 takes the likeliest token every time, 1 samples from the policy's own distribution.
            max_new_tokens: the most tokens of an answer, its end of turn included.
            seed: of the draws, where the temperature is above 0.

        Returns:
            A text; with `samples` a list of them; for a list of prompts a list of n of either.

        Raises:
            TypeError: a prompt of another form.
            ValueError: a number out of range; a prompt and `max_new_tokens` that do not fit the model together.
        """
        one = is_one_prompt(prompt)
        count = 1 if samples is None else checks.whole("samples", samples, least=1)
        checks.number("temperature", temperature, least=0)
        checks.whole("seed", seed)
        room = checks.whole("max_new_tokens", max_new_tokens, least=1)
        rows = [self._encode(as_messages(p), room) for p in ([prompt] if one else prompt)]
        texts = self._answer(rows, count, temperature, room, seed)
        answers: list[Any] = [texts[k : k + count] for k in range(0, len(texts), count)]
        answers = [found[0] for found in answers] if samples is None else answers
        return answers[0] if one else answers

    def _encode(self, messages: tuple[Message, ...], max_new_tokens: int) -> list[int]:
        ids = self.tokenizer.prompt_ids(messages)
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is not None and len(ids) + max_new_tokens > limit:
            raise ValueError(
                f"prompt of {len(ids)} tokens and max_new_tokens={max_new_tokens} must fit the policy's {limit} "
                f"positions, got {messages[-1].content!r:.60}"
            )
        return ids

    def _answer(
        self, prompts: Sequence[list[int]], count: int, temperature: float, max_new_tokens: int, seed: int
    ) -> list[str]:
        import torch

        from textgym.models.generate import generate

        generator = torch.Generator().manual_seed(seed)
        draws = torch.rand((len(prompts) * count, max_new_tokens), generator=generator)
        texts = []
        for start in range(0, len(prompts), BATCH):
            rows = prompts[start : start + BATCH]
            said = generate(
                self.model,
                rows,
                max_new_tokens=max_new_tokens,
                end_of_turn=self.tokenizer.end_of_turn,
                forbidden=self._forbidden,
                samples_per_prompt=count,
                temperature=temperature,
                uniforms=draws[start * count : (start + len(rows)) * count].to(self._forbidden.device),
            )
            texts += [self.tokenizer.decode(ids) for ids in said.tokens]
        return texts


def load_policy(
    name: str | Path = "embedded",
    *,
    tokenizer: Any = None,
    end_of_turn: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
) -> Policy:
    """A policy by its name.

    Args:
        name: "embedded", a run's folder, or a folder or hub name of a causal language model.
        tokenizer: what `load_tokenizer` takes; None: the policy's own.
        end_of_turn: the token that ends a turn; None: what the tokenizer says.
        device: where it computes.
        dtype: "float32", "bfloat16" or "float16".

    Raises:
        ValueError: nothing that loads as a policy, or a tokenizer that does not fit it.
    """
    from textgym.models.language_model import load_language_model
    from textgym.models.tokenizer import load_tokenizer

    trained = Path(name).expanduser() / "policy"
    place = str(trained) if (trained / "config.json").is_file() else str(name)
    model = load_language_model(place, device, dtype)
    spec = place if tokenizer is None else tokenizer
    return Policy(model, load_tokenizer({"path": spec, "end_of_turn": end_of_turn} if end_of_turn else spec))
