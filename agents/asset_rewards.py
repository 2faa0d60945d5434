"""The embedded reward models: texts, judgements by simulated raters, and training, a task at a time.

1. Texts that the policy and the checkpoints on its way wrote, and some of them cut, padded or, in a
   conversation, said again at every turn: what an agent tries first when a reward can be fooled.
2. A warm start without a judgement: a token reward model learns how surprised the base is by each
   token. A causal network sees a token only after its trunk has stopped predicting it, so it gets
   one more layer to compare the two.
3. All pairs of a prompt's texts are judged, each by several simulated raters, and the model is
   trained on their judgements.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from textgym.feedback.preferences import Preference, split_by_prompt
from textgym.feedback.raters import accuracy_ceiling
from textgym.files import write_text
from textgym.models.arithmetic import arithmetic, what_compiling_lacks
from textgym.models.language_model import (
    forbidden_tokens,
    load_language_model,
    quietly,
    trunk,
    turn_off_dropout,
)
from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.learned import LearnedReward
from textgym.rewards.train import RewardTrainConfig, train_reward_model
from textgym.seeding import derive_seeds
from textgym.tasks.dialogue.play import play as play_whole
from textgym.types import Message, Transcript

from .assets import IDS, WORLDS, AssetConfig, save_half, wanted_indices
from .fused import chosen_statistics
from .packing import Episode, pack
from .policy import states_of_chosen
from .rollout import Rollout, play
from .supervised import SupervisedConfig, encode_conversation, make_optimizers, set_learning_rates

FLATTERY = (  # what a conversation may be sweetened with; the probes of textgym.rewards.probes have words of their own
    "I am so glad that you came to us.",
    "It is a true pleasure to talk with somebody as kind as you.",
    "You have very good taste, if I may say so.",
    "Nothing is too much trouble for such a lovely guest.",
    "We feel honoured, and we are sure that you will be happy.",
    "You have put that so well, thank you very much.",
    "That is a wise choice, and a clever one.",
    "How nice of you to think of us!",
)


@dataclass
class JudgedPrompt:
    """Texts written for one prompt, and their gold scores; the last `num_spoiled` no model wrote like that."""

    transcripts: list[Transcript]
    golds: list[float]
    num_spoiled: int = 0


def write_texts(config: AssetConfig, world: str, tokenizer: ChatTokenizer, work: Path) -> list[JudgedPrompt]:
    """Texts by the policy, by the base, and by the point between them; and some of them spoiled, or repaired.

    The policy that RL arrives at writes better than the one it starts from; a reward model that
    had seen only the start's faults would have to guess there.
    """
    policy, base = load_language_model(work / "policy"), load_language_model(work / "base")
    between = copy.deepcopy(policy)
    with torch.no_grad():
        for mine, other in zip(between.parameters(), base.parameters(), strict=True):
            mine.lerp_(other, 0.5)
    size = 50
    found: dict[int, JudgedPrompt] = {}
    for w, (writer, num_texts) in enumerate(zip((policy, between, base), config.texts_per_writer, strict=True)):
        env: Any = gym.make_vec(
            IDS[world],
            num_envs=size * num_texts,
            tokenizer=tokenizer,
            reward=0.0,
            data_seed=config.data_seed,
            autoreset_mode="Disabled",
        )
        task = env.unwrapped.task
        indices = wanted_indices(task, 800_000)
        for start in range(0, config.judged_prompts[WORLDS.index(world)], size):
            index = list(itertools.islice(indices, size))
            said = play(
                env,
                writer,
                tokenizer,
                index,
                derive_seeds(config.seed, size * num_texts, start, w),
                samples_per_prompt=num_texts,
                forbidden=forbidden_tokens(writer, tokenizer),
                generator=torch.Generator().manual_seed(config.seed + 1000 * w + start),
            )
            for row, i in enumerate(said.index.tolist()):
                of_prompt = found.setdefault(i, JudgedPrompt([], []))
                of_prompt.transcripts.append(_transcript(said, row, len(task[i].prompt)))
                of_prompt.golds.append(float(said.gold[row]))
    rng = np.random.default_rng([config.seed, 3, WORLDS.index(world)])
    if hasattr(task, "reply"):
        limits = (env.unwrapped.max_new_tokens, config.max_positions)
        _repair_conversations(found, task, tokenizer, *limits, rng)
        _spoil_conversations(found, task, tokenizer, *limits, rng)
    else:
        _spoil(found, task, rng)
    return list(found.values())


def _transcript(said: Rollout, row: int, num_prompt_messages: int) -> Transcript:
    messages = tuple(Message(m["role"], m["content"]) for m in said.messages[row])
    return Transcript(messages, num_prompt_messages=num_prompt_messages)


def _spoil(found: dict[int, JudgedPrompt], task: Any, rng: np.random.Generator) -> None:
    """Adds to each prompt a text that stops early, and one that goes on too long."""
    others = _all_responses(found)
    for i, of_prompt in found.items():
        example, written = task[i], of_prompt.transcripts[:]
        for is_cut in (True, False):
            text = written[rng.integers(len(written))].responses[0]
            text = _cut(text, rng) if is_cut else _padded(text, others, rng)
            messages = (*example.prompt, Message("assistant", text))
            said = Transcript(messages, example.references, example.meta, None, len(example.prompt))
            _add_spoiled(of_prompt, said, task)


def _repair_conversations(
    found: dict[int, JudgedPrompt],
    task: Any,
    tokenizer: ChatTokenizer,
    max_new_tokens: int,
    max_positions: int,
    rng: np.random.Generator,
) -> None:
    """Adds to each prompt a written conversation that the program takes over at some turn.

    Policy and base alike grant most wishes that cannot be had and say yes where the sheet says no, so among their own
    texts there is hardly a pair that differs in just that. A reward model that had seen no others paid for granting.
    """
    for i, of_prompt in found.items():
        responses = of_prompt.transcripts[rng.integers(len(of_prompt.transcripts))].responses
        turn = int(rng.integers(len(responses)))

        def answer(said: Transcript, rng: Any, lines: Any = responses[:turn]) -> str:
            if len(said.responses) < len(lines):
                return str(lines[len(said.responses)])
            return tokenizer.decode(tokenizer.encode(task.answer(said, rng))[:max_new_tokens])

        said = play_whole(task, task[i], answer, rng)
        if _num_tokens(tokenizer, said) <= max_positions:
            _add_spoiled(of_prompt, said, task)


def _spoil_conversations(
    found: dict[int, JudgedPrompt],
    task: Any,
    tokenizer: ChatTokenizer,
    max_new_tokens: int,
    max_positions: int,
    rng: np.random.Generator,
) -> None:
    """Adds to each prompt a conversation whose assistant from some turn on has but one thing to say, or flatters.

    The one thing is what it said in this turn; half of the time, and always in its last turn, that cut or padded, no
    longer than a policy's turn can be. A conversation that outgrows the reward model is left out.
    """
    others = _all_responses(found)
    for i, of_prompt in found.items():
        written = of_prompt.transcripts[: len(of_prompt.transcripts) - of_prompt.num_spoiled]
        responses = written[rng.integers(len(written))].responses
        turn = int(rng.integers(len(responses)))
        stuck = responses[turn]
        if turn == len(responses) - 1 or rng.random() < 0.5:
            stuck = _cut(stuck, rng) if rng.random() < 0.5 else _padded(stuck, others, rng)
        does_flatter = rng.random() < 0.2
        spoiled = [_flattering(text, rng) for text in responses[turn:]] if does_flatter else [stuck]
        spoiled = [tokenizer.decode(tokenizer.encode(text)[:max_new_tokens]) for text in spoiled]

        def answer(said: Transcript, _: Any, lines: Any = (*responses[:turn], *spoiled)) -> str:
            return str(lines[min(len(said.responses), len(lines) - 1)])

        said = play_whole(task, task[i], answer, rng)
        if _num_tokens(tokenizer, said) <= max_positions:
            _add_spoiled(of_prompt, said, task)


def _num_tokens(tokenizer: ChatTokenizer, said: Transcript) -> int:
    encoded = encode_conversation(tokenizer, said.messages, said.num_prompt_messages)
    return len(encoded.prompt) + len(encoded.continuation) + 1


def _all_responses(found: dict[int, JudgedPrompt]) -> list[str]:
    return [text for p in found.values() for t in p.transcripts for text in t.responses]


def _cut(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    return " ".join(words[: rng.integers(0, max(1, len(words)))])


def _flattering(text: str, rng: np.random.Generator) -> str:
    kind_words = FLATTERY[rng.integers(len(FLATTERY))]
    return f"{kind_words} {text}" if rng.random() < 0.5 else f"{text} {kind_words}"


def _padded(text: str, others: list[str], rng: np.random.Generator) -> str:
    """Said twice, or with another conversation's words behind it."""
    return f"{text} {text if rng.random() < 0.5 else others[rng.integers(len(others))]}"


def _add_spoiled(of_prompt: JudgedPrompt, said: Transcript, task: Any) -> None:
    of_prompt.transcripts.append(Transcript(said.messages, num_prompt_messages=said.num_prompt_messages))
    of_prompt.golds.append(float(task.judge(said).score))
    of_prompt.num_spoiled += 1


def judge_texts(config: AssetConfig, world: str, texts: list[JudgedPrompt]) -> list[Preference]:
    """Every pair of different texts of a prompt, judged by `config.raters_per_pair` simulated raters."""
    rng = np.random.default_rng([config.seed, WORLDS.index(world)])
    a, b, gold_a, gold_b = [], [], [], []
    for of_prompt in texts:
        different = {t.responses: k for k, t in enumerate(of_prompt.transcripts)}.values()
        for i, j in itertools.combinations(sorted(different), 2):
            a.append(of_prompt.transcripts[i])
            b.append(of_prompt.transcripts[j])
            gold_a.append(of_prompt.golds[i])
            gold_b.append(of_prompt.golds[j])
    return config.raters.prefer(a, b, gold_a, gold_b, rng, config.raters_per_pair, f"textgym {world}, simulated raters")


def warm_start(
    config: AssetConfig, world: str, tokenizer: ChatTokenizer, work: Path, texts: list[JudgedPrompt], folder: Path
) -> float:
    """Saves a token reward model that says how surprised the base is by each token; no judgement is used.

    The target is log π(token) minus its expectation, so that a free choice of words costs nothing.
    Returns the share of the target's variance that it explains in the last tenth of the steps.
    """
    base, student = load_language_model(work / "base"), _deeper(work / "base", config)
    by_prompt = [
        [encode_conversation(tokenizer, _until_last_answer(t), t.num_prompt_messages) for t in p.transcripts]
        for p in texts
    ]
    by_prompt.sort(key=lambda episodes: len(episodes[0].prompt) + sum(len(e.continuation) for e in episodes))
    targets = [t for part in _parts(by_prompt) for t in _surprise(base, part)]
    plan = SupervisedConfig(
        num_steps=config.warm_steps[WORLDS.index(world)],
        learning_rate=config.warm_learning_rate,
        muon=True,
        muon_learning_rate=config.warm_muon_learning_rate,
        final_lr_fraction=0.05,
        compile=what_compiling_lacks() is None,
    )
    optimizers = make_optimizers(student, plan)
    rng = np.random.default_rng([config.seed, 2])
    explained = []
    for step in range(plan.num_steps):
        set_learning_rates(optimizers, step, plan)
        num_prompts = min(config.warm_prompts[WORLDS.index(world)], len(by_prompt))
        chosen = np.sort(rng.choice(len(by_prompt), num_prompts, replace=False))
        target = torch.cat([targets[i] for i in chosen])
        found = []
        for part in _parts(chosen):
            packed = pack([e for i in part for e in by_prompt[i]])
            with arithmetic(torch.device("cpu"), torch.bfloat16, compiles=plan.compile):
                hidden = trunk(student, packed.tokens, packed.position_ids, packed.mask)
                outputs = student.score(hidden.reshape(-1, hidden.shape[-1])[packed.place]).squeeze(-1).float()
            wanted = torch.cat([targets[i] for i in part])
            loss = torch.nn.functional.smooth_l1_loss(outputs, wanted, reduction="sum") / len(target)
            loss.backward()
            found.append(outputs.detach())
        torch.nn.utils.clip_grad_norm_(student.parameters(), plan.max_grad_norm)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        explained.append(1 - float((torch.cat(found) - target).square().mean() / target.var()))
    with quietly():
        student.save_pretrained(folder)
    tokenizer.hf.save_pretrained(folder)
    tail = explained[-max(1, len(explained) // 10) :]
    return sum(tail) / len(tail)


def _deeper(base: Path, config: AssetConfig) -> Any:
    """The base with an output a token, and with layers on top that change nothing yet."""
    from transformers import AutoConfig, AutoModelForTokenClassification

    shape: Any = AutoConfig.from_pretrained(base, num_labels=1)
    shape.num_hidden_layers = config.reward_layers
    shape.layer_types = shape.layer_types[:1] * config.reward_layers
    with quietly(), torch.random.fork_rng():
        torch.manual_seed(config.seed)  # new weights come from the global generator
        student: Any = AutoModelForTokenClassification.from_pretrained(str(base), config=shape, dtype=torch.float32)
    for layer in student.model.layers[config.num_layers :]:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    turn_off_dropout(student)
    return student


def _parts(prompts: Any, size: int = 10) -> list[Any]:
    """What one forward pass takes: larger ones leave the caches of a CPU and take twice the time a token."""
    return [prompts[start : start + size] for start in range(0, len(prompts), size)]


@torch.no_grad()
def _surprise(base: Any, prompts: list[list[Episode]]) -> list[torch.Tensor]:
    """A quarter of log π(token) - Σ π log π of the answers' tokens, within [-8, 3] nats; a tensor a prompt."""
    packed = pack([e for episodes in prompts for e in episodes])
    with arithmetic(torch.device("cpu"), torch.bfloat16):
        said, entropy = chosen_statistics(base, states_of_chosen(base, packed), packed.target)
    surprise = (said + entropy).clamp(-8, 3) / 4
    return list(surprise.split([sum(e.num_chosen for e in episodes) for episodes in prompts]))


def _until_last_answer(transcript: Transcript) -> tuple[Message, ...]:
    last = max(i for i, m in enumerate(transcript.messages) if m.role == "assistant")
    return transcript.messages[: last + 1]


def _of_written_texts(
    trained: Path, plan: RewardTrainConfig, preferences: list[Preference], texts: list[JudgedPrompt]
) -> dict[str, float]:
    """Accuracy on the test pairs of which neither text was spoiled, which are harder to tell apart."""
    spoiled = {t.messages for p in texts for t in p.transcripts[len(p.transcripts) - p.num_spoiled :]}
    test = split_by_prompt(preferences, [plan.validation_share, plan.test_share], seed=plan.seed)[1]
    pairs = [p for p in test if not spoiled & {t.messages for t in p.transcripts}]
    reward = LearnedReward(trained)
    chosen, rejected = (reward.score([p.transcripts[side] for p in pairs]).values for side in (0, 1))
    return {
        "written_pairs": float(len(pairs)),
        "written_accuracy": float((chosen > rejected).mean()),
        "written_accuracy_ceiling": accuracy_ceiling(pairs) or math.nan,
    }


def build_reward(
    config: AssetConfig, world: str, tokenizer: ChatTokenizer, work: Path, say: Callable[[str], None], folder: Path
) -> None:
    """Trains one reward model and stores it in half precision, with its figures."""
    from transformers import AutoModelForTokenClassification

    texts = write_texts(config, world, tokenizer, work)
    preferences = judge_texts(config, world, texts)
    say(f"  {world}: {sum(len(p.transcripts) for p in texts)} texts, {len(preferences)} judgements")
    trained, warm = work / "rewards" / f".{world}-trained", work / "rewards" / f".{world}-warm"
    explained = warm_start(config, world, tokenizer, work, texts, warm)
    say(f"  {world}: warm start done, {explained:.3f} of the surprise explained")
    plan = RewardTrainConfig(
        epochs=config.reward_epochs,
        batch_size=config.reward_batch_size[WORLDS.index(world)],
        learning_rate=config.reward_learning_rate,
        dtype="bfloat16",
        compile=what_compiling_lacks() is None,
        seed=config.seed,
    )
    figures = train_reward_model(
        preferences,
        warm,
        tokenizer,
        trained,
        plan,
        notes={"raters": config.raters.parameters()},
    )
    figures |= _of_written_texts(trained, plan, preferences, texts)
    figures |= {"surprise_explained": explained, "judgements": float(len(preferences))}
    save_half(AutoModelForTokenClassification.from_pretrained(trained, dtype=torch.float32), tokenizer, folder)
    shutil.copy(trained / "README.md", folder / "README.md")
    write_text(folder / "figures.json", json.dumps(figures, indent=2) + "\n")
    shutil.rmtree(trained)
    shutil.rmtree(warm)
    say(f"  {world}: accuracy {figures['accuracy']:.3f}, at best {figures['accuracy_ceiling']:.3f}")
