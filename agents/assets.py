"""Builds the embedded assets: tokenizer, policy, one reward model a task, manifest.

    python -m agents assets            # writes textgym/assets, about an hour on two cores

From seeds and this file alone, in the order of any RLHF project:

1. a byte-level BPE over texts of the three worlds;
2. a base model, tuned on *good* answers: plain examples first, then whole ones. (Straight on
   whole documents a model of this size does not learn to copy names.)
3. the policy: the base tuned on answers with *habits*, faults that are a function of the
   content, so that greedy decoding has them too and there is something for RL to repair;
4. pairs of texts that the policy and the checkpoints on its way wrote, judged by simulated
   raters, and a reward model a task trained on them.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import textgym
from textgym.feedback.preferences import Preference
from textgym.feedback.raters import SimulatedRaters
from textgym.files import new_folder, write_text
from textgym.models.language_model import arithmetic, forbidden_tokens, load_language_model, trunk, turn_off_dropout
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.rewards.network import quietly
from textgym.rewards.train import RewardTrainConfig, train_reward_model
from textgym.seeding import derive_seeds
from textgym.tasks.load import load_task
from textgym.types import Message, Transcript

from .evaluate import evaluate
from .packing import Episode, pack
from .policy import log_distribution
from .rollout import Rollout, play
from .runs import versions
from .supervised import SupervisedConfig, encode_conversation, tune

ASSETS = Path(textgym.__file__).parent / "assets"
IDS = {
    "summarize": "textgym/Summarize-v0",
    "translate": "textgym/Translate-v0",
    "dialogue": "textgym/Dialogue-v0",
}
WORLDS = ("summarize", "translate", "dialogue")
ROLES = ("system", "user", "assistant")
SPECIALS = ("<|pad|>", *(f"<|{role}|>" for role in ROLES), "<|end|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class AssetConfig:
    """Sizes and seeds; the manifest repeats them."""

    seed: int = 0
    data_seed: int = 7  # examples of the assets' own, no run's default
    vocab_size: int = 2048
    tokenizer_examples: int = 6000  # a world
    hidden_size: int = 128
    intermediate_size: int = 384
    num_layers: int = 4
    num_heads: int = 4
    max_positions: int = 512
    initializer_range: float = 0.06
    copy_steps: int = 400
    simple_steps: int = 500
    whole_steps: int = 1800
    more_steps: int = 1600  # whole examples again, most of them translations, which take longest to learn
    habit_steps: int = 400
    batch_size: int = 64
    learning_rate: float = 2.5e-3
    muon_learning_rate: float = 1e-2
    habit_learning_rate: float = 5e-4
    mixture: tuple[float, float, float] = (0.4, 0.3, 0.3)  # of a batch, by world
    more_mixture: tuple[float, float, float] = (0.15, 0.7, 0.15)
    more_batch_size: int = 96
    judged_prompts: tuple[int, int, int] = (2000, 2000, 300)  # by world; each has six texts, which make fifteen pairs
    pairs_per_prompt: int = 6  # drawn from those at random, each judged once
    warm_steps: tuple[int, int, int] = (300, 1000, 40)  # by world: the reward model on likelihoods, no judgements
    reward_epochs: float = 3.0
    warm_learning_rate: float = 1.5e-3
    reward_learning_rate: float = 3e-4
    raters: SimulatedRaters = field(
        default_factory=lambda: SimulatedRaters(count=8, noise=0.1, length_bias=0.1, side_bias=0.2, lapse=0.02)
    )
    measured_prompts: int = 256  # for the manifest's gold scores

    def check(self) -> None:
        """Raises ValueError for values that cannot work."""
        if len(self.mixture) != len(WORLDS) or min(self.mixture) < 0:
            raise ValueError(f"mixture must be {len(WORLDS)} shares, got {self.mixture}")


def build_tokenizer(config: AssetConfig) -> Any:
    """A byte-level BPE with single digits, so that every number is spelled from ten tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(config), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=[s for s in SPECIALS if s not in ("<|pad|>", "<|end|>")],
        chat_template=CHAT_TEMPLATE,
        model_max_length=config.max_positions,
        clean_up_tokenization_spaces=False,
    )


def _texts(config: AssetConfig) -> Iterator[str]:
    for world in WORLDS:
        for i in range(config.tokenizer_examples):
            for message in conversation(world, i, config.data_seed, habits=i % 4 == 0)[0]:
                yield message.content


_tasks: dict[tuple[str, int, bool], Any] = {}


def conversation(
    world: str, index: int, data_seed: int, habits: bool = False, simple: bool = False
) -> tuple[tuple[Message, ...], int]:
    """A demonstration: messages of a finished conversation, and how many of them are the prompt."""
    from textgym.types import Goodbye

    key = (world, data_seed, simple)
    if key not in _tasks:
        world_class: Any = type(load_task(world))
        _tasks[key] = world_class(split="train", data_seed=data_seed, simple=simple)
    task = _tasks[key]
    example = task[index]
    rng = np.random.default_rng([data_seed, index, habits])
    messages, p = example.prompt, len(example.prompt)
    for _ in range(6 if hasattr(task, "reply") else 1):
        transcript = Transcript(messages, example.references, example.meta, None, p)
        messages = (*messages, Message("assistant", task.answer(transcript, rng, habits=habits)))
        if not hasattr(task, "reply"):
            break
        said = task.reply(Transcript(messages, example.references, example.meta, None, p), rng)
        if said is None:
            break
        messages = (*messages, Message("user", said))
        if isinstance(said, Goodbye):
            break
    return messages, p


def demonstrations(config: AssetConfig, tokenizer: ChatTokenizer, stage: str, start: int) -> Iterator[list[Episode]]:
    """Endless batches for one stage ("simple", "whole" or "habits"), no example twice."""
    counts = [round(config.batch_size * share) for share in config.mixture]
    cursors = [start] * len(WORLDS)
    while True:
        batch = []
        for w, world in enumerate(WORLDS):
            for _ in range(counts[w]):
                messages, p = conversation(
                    world, cursors[w], config.data_seed, habits=stage == "habits", simple=stage == "simple"
                )
                batch.append(encode_conversation(tokenizer, messages, p))
                cursors[w] += 1
        yield batch


def new_model(config: AssetConfig, tokenizer: ChatTokenizer) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(config.seed)  # transformers initialises from the global generator
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            max_position_embeddings=config.max_positions,
            initializer_range=config.initializer_range,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.end_of_turn,
            pad_token_id=tokenizer.pad,
        )
    )


def copies(config: AssetConfig, tokenizer: ChatTokenizer) -> Iterator[list[Episode]]:
    """Endless batches of random tokens said again from somewhere in the middle.

    Copying is what all three tasks need first; a few hundred steps of this, and names are copied
    from the first documents on.
    """
    rng = np.random.default_rng([config.seed, 1])
    opening = tokenizer.prompt_ids([Message("user", "")])
    first = len(SPECIALS) + 256
    while True:
        batch = []
        for _ in range(config.batch_size):
            ids = rng.integers(first, tokenizer.vocab_size, int(rng.integers(12, 48))).tolist()
            start = int(rng.integers(0, len(ids) // 2))
            said = [*ids[start:], tokenizer.end_of_turn]
            chosen = [False] + [True] * (len(said) - 1)  # where the copy begins cannot be known
            batch.append(Episode([opening[0], *ids, *opening[1:]], said, chosen))
        yield batch


def build(config: AssetConfig | None = None, output: Path = ASSETS, work: Path = Path("runs/assets")) -> None:
    """Builds everything; stages that lie finished in `work` are not done again."""
    config = config or AssetConfig()
    config.check()
    started = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    is_one_run = not (work / "tokenizer").exists()
    say = _speaker(started)
    _stage(work / "tokenizer", lambda folder: build_tokenizer(config).save_pretrained(folder), say)
    tokenizer = load_tokenizer(work / "tokenizer")
    _stage(work / "base", lambda folder: build_base(config, tokenizer, say).save_pretrained(folder), say)
    _stage(work / "policy", lambda folder: build_policy(config, tokenizer, work, say).save_pretrained(folder), say)
    for world in WORLDS:
        _stage(work / "rewards" / world, partial(build_reward, config, world, tokenizer, work), say)
    with new_folder(output) as folder:
        tokenizer.hf.save_pretrained(folder / "tokenizer")
        _save_half(load_language_model(work / "policy"), tokenizer, folder / "policy")
        for world in WORLDS:
            shutil.copytree(work / "rewards" / world, folder / "rewards" / world)
        write_manifest(config, folder, time.perf_counter() - started if is_one_run else None)
    say("manifest written")


def _speaker(started: float) -> Callable[[str], None]:
    return lambda text: print(f"[{time.perf_counter() - started:6.0f} s] {text}", flush=True)


def _stage(path: Path, make: Callable[[Path], Any], say: Callable[[str], None]) -> None:
    if path.exists():
        say(f"{path.name}: found in {path.parent}")
        return
    with new_folder(path) as folder:
        make(folder)
    say(f"{path.name}: done")


def build_base(config: AssetConfig, tokenizer: ChatTokenizer, say: Callable[[str], None]) -> Any:
    """Copying, then plain examples, then whole ones; good answers throughout."""
    model = new_model(config, tokenizer)
    more = replace(config, mixture=config.more_mixture, batch_size=config.more_batch_size)
    plans = [
        (copies(config, tokenizer), config.copy_steps, 0.0, 1.0, 1.0),
        (demonstrations(config, tokenizer, "simple", 0), config.simple_steps, 0.1, 1.0, 1.0),
        (demonstrations(config, tokenizer, "whole", 200_000), config.whole_steps, 0.0, 1.0, 0.05),
        (demonstrations(more, tokenizer, "whole", 320_000), config.more_steps, 0.0, 0.6, 0.05),
    ]
    for batches, steps, prompt_weight, rate, final in plans:
        plan = SupervisedConfig(
            num_steps=steps,
            learning_rate=rate * config.learning_rate,
            muon=True,
            muon_learning_rate=rate * config.muon_learning_rate,
            prompt_weight=prompt_weight,
            final_lr_fraction=final,
        )
        tune(model, batches, plan, lambda step, loss: say(f"  step {step}: loss {loss:.3f}"))
    return model


def build_policy(config: AssetConfig, tokenizer: ChatTokenizer, work: Path, say: Callable[[str], None]) -> Any:
    model = load_language_model(work / "base")
    plan = SupervisedConfig(
        num_steps=config.habit_steps,
        learning_rate=config.habit_learning_rate,
        prompt_weight=0.0,
        final_lr_fraction=0.05,
    )
    batches = demonstrations(config, tokenizer, "habits", 500_000)
    tune(model, batches, plan, lambda step, loss: say(f"  step {step}: loss {loss:.3f}"))
    return model


def write_texts(
    config: AssetConfig, world: str, tokenizer: ChatTokenizer, work: Path
) -> list[tuple[int, list[Transcript], list[float]]]:
    """Six texts a prompt with their gold scores: two by the policy, the base, and the point between them.

    The policy that RL arrives at writes better than the one it starts from; a reward model that
    had seen only the start's faults would have to guess there.
    """
    policy, base = load_language_model(work / "policy"), load_language_model(work / "base")
    between = copy.deepcopy(policy)
    with torch.no_grad():
        for mine, other in zip(between.parameters(), base.parameters(), strict=True):
            mine.lerp_(other, 0.5)
    size = 50
    found: dict[int, tuple[list[Transcript], list[float]]] = {}
    env: Any = gym.make_vec(
        IDS[world],
        num_envs=size * 2,
        tokenizer=tokenizer,
        reward=0.0,
        data_seed=config.data_seed,
        autoreset_mode="Disabled",
    )
    task = env.unwrapped.task
    for w, writer in enumerate((policy, between, base)):
        for start in range(0, config.judged_prompts[WORLDS.index(world)], size):
            index = range(800_000 + start, 800_000 + start + size)
            said = play(
                env,
                writer,
                tokenizer,
                index,
                derive_seeds(config.seed, size * 2, start, w),
                samples_per_prompt=2,
                forbidden=forbidden_tokens(writer, tokenizer),
                generator=torch.Generator().manual_seed(config.seed + 1000 * w + start),
            )
            for row, i in enumerate(said.index.tolist()):
                texts, golds = found.setdefault(i, ([], []))
                texts.append(_transcript(said, row, len(task[i].prompt)))
                golds.append(float(said.gold[row]))
    return [(i, texts, golds) for i, (texts, golds) in found.items()]


def _transcript(said: Rollout, row: int, num_prompt_messages: int) -> Transcript:
    messages = tuple(Message(m["role"], m["content"]) for m in said.messages[row])
    return Transcript(messages, num_prompt_messages=num_prompt_messages)


def judge_texts(
    config: AssetConfig, world: str, texts: list[tuple[int, list[Transcript], list[float]]]
) -> list[Preference]:
    """Pairs drawn at random among the texts of a prompt, each judged by one simulated rater."""
    rng = np.random.default_rng([config.seed, WORLDS.index(world)])
    a, b, gold_a, gold_b = [], [], [], []
    for _, transcripts, golds in texts:
        pairs = list(itertools.combinations(range(len(transcripts)), 2))
        for k in rng.permutation(len(pairs))[: config.pairs_per_prompt]:
            i, j = pairs[k]
            if transcripts[i].responses == transcripts[j].responses:
                continue
            a.append(transcripts[i])
            b.append(transcripts[j])
            gold_a.append(golds[i])
            gold_b.append(golds[j])
    return config.raters.prefer(a, b, gold_a, gold_b, rng, source=f"textgym {world}, simulated raters")


def warm_start(
    config: AssetConfig,
    world: str,
    tokenizer: ChatTokenizer,
    work: Path,
    texts: list[tuple[int, list[Transcript], list[float]]],
    folder: Path,
) -> None:
    """A token reward model that says how surprised the base is by each token; no judgement is used.

    A causal reward model sees a token only after the trunk below it has stopped predicting; this
    teaches it to compare the two, which preferences alone teach slowly. The target is
    log π(token) minus its expectation, so that a free choice of words costs nothing.
    """
    from transformers import AutoModelForTokenClassification

    base = load_language_model(work / "base")
    with quietly(), torch.random.fork_rng():
        torch.manual_seed(config.seed)  # the head's weights come from the global generator
        student: Any = AutoModelForTokenClassification.from_pretrained(
            str(work / "base"), num_labels=1, dtype=torch.float32
        )
    turn_off_dropout(student)
    transcripts = [t for _, several, _ in texts for t in several]
    rng = np.random.default_rng([config.seed, 2])
    steps = config.warm_steps[WORLDS.index(world)]
    optimizer = torch.optim.AdamW(student.parameters(), lr=config.warm_learning_rate, weight_decay=0.01, fused=True)
    for step in range(steps):
        rate = min(1.0, (step + 1) / 30) * (1 - 0.9 * step / steps)
        optimizer.param_groups[0]["lr"] = config.warm_learning_rate * rate
        chosen = [transcripts[i] for i in rng.choice(len(transcripts), config.batch_size, replace=False)]
        episodes = [encode_conversation(tokenizer, _until_last_answer(t), t.num_prompt_messages) for t in chosen]
        packed = pack(sorted(episodes, key=lambda e: len(e.prompt) + len(e.continuation)), row_tokens=1)
        with arithmetic(torch.device("cpu"), torch.bfloat16):
            with torch.no_grad():
                hidden = trunk(base, packed.tokens, packed.position_ids)
                log_all = log_distribution(base, hidden.reshape(-1, hidden.shape[-1])[packed.source])
                said = log_all.gather(1, packed.target[:, None]).squeeze(1)
                surprise = (said - (log_all.exp() * log_all).sum(1)).clamp(-8, 3)
            hidden = trunk(student, packed.tokens, packed.position_ids)
            # In a row of its own a token stands right behind the position that predicts it.
            found = student.score(hidden.reshape(-1, hidden.shape[-1])[packed.source + 1]).squeeze(-1)
        torch.nn.functional.smooth_l1_loss(found.float(), surprise / 4).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    student.save_pretrained(folder)
    tokenizer.hf.save_pretrained(folder)


def _until_last_answer(transcript: Transcript) -> tuple[Message, ...]:
    last = max(i for i, m in enumerate(transcript.messages) if m.role == "assistant")
    return transcript.messages[: last + 1]


def build_reward(config: AssetConfig, world: str, tokenizer: ChatTokenizer, work: Path, folder: Path) -> None:
    """Trains one reward model from the base, which knows the language well, and stores it in half precision."""
    texts = write_texts(config, world, tokenizer, work)
    trained, warm = work / "rewards" / f".{world}-trained", work / "rewards" / f".{world}-warm"
    warm_start(config, world, tokenizer, work, texts, warm)
    figures = train_reward_model(
        judge_texts(config, world, texts),
        warm,
        tokenizer,
        trained,
        RewardTrainConfig(
            epochs=config.reward_epochs,
            learning_rate=config.reward_learning_rate,
            dtype="bfloat16",
            seed=config.seed,
        ),
        notes={"raters": config.raters.parameters()},
    )
    from transformers import AutoModelForTokenClassification

    _save_half(AutoModelForTokenClassification.from_pretrained(trained, dtype=torch.float32), tokenizer, folder)
    shutil.copy(trained / "README.md", folder / "README.md")
    write_text(folder / "figures.json", json.dumps(figures, indent=2) + "\n")
    shutil.rmtree(trained)
    shutil.rmtree(warm)
    print(world, json.dumps(figures), flush=True)


def _save_half(model: Any, tokenizer: ChatTokenizer, folder: Path) -> None:
    """Half precision halves the package; whoever loads it says which precision to compute in."""
    model.to(torch.float16).save_pretrained(folder)
    tokenizer.hf.save_pretrained(folder)


def write_manifest(config: AssetConfig, folder: Path, seconds: float | None) -> None:
    """manifest.json: what was built, from which seeds, how good it is, and the hash of every file.

    `seconds` is None where stages of earlier runs were taken over, perhaps made with other settings.
    """
    policy = load_language_model(folder / "policy")
    tokenizer = load_tokenizer(folder / "tokenizer")
    quality: dict[str, Any] = {}
    for world in WORLDS:
        gold = {}
        for name, temperature in (("sampled", 1.0), ("greedy", 0.0)):

            def make_env(n: int, world: str = world) -> Any:
                return gym.make_vec(
                    IDS[world],
                    num_envs=n,
                    tokenizer=tokenizer,
                    reward="gold",
                    split="validation",
                    autoreset_mode="Disabled",
                )

            found = evaluate(policy, tokenizer, make_env, num_prompts=config.measured_prompts, temperature=temperature)
            gold[f"gold_{name}"] = round(found.means["gold"], 4)
            gold[f"gold_{name}_ci95"] = round(found.intervals["gold"], 4)
        figures = json.loads((folder / "rewards" / world / "figures.json").read_text())
        quality[world] = {"policy": gold, "reward_model": figures}
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    manifest = {
        "command": "python -m agents assets",
        "config": asdict(config),
        "raters": config.raters.parameters(),
        "versions": versions(),
        "built_in_one_run": seconds is not None,
        "build_seconds": None if seconds is None else round(seconds),
        "quality": quality,
        "files": {
            str(p.relative_to(folder)): {
                "bytes": p.stat().st_size,
                "sha256": hashlib.sha256(p.read_bytes()).hexdigest(),
            }
            for p in files
        },
    }
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
