"""Builds the embedded assets: tokenizer, policy, one reward model a task, manifest.

    python -m agents assets            # writes textgym/assets, about an hour on two cores

From seeds and this file alone, in the order of any RLHF project:

1. a byte-level BPE over texts of the three worlds;
2. a base model, tuned on *good* answers: plain examples first, then whole ones. (Straight on
   whole documents a model of this size does not learn to copy names.)
3. the policy: the base tuned on answers with *habits*, faults that are a function of the
   content, so that greedy decoding has them too and there is something for RL to repair;
4. a reward model a task (`asset_rewards.py`).

Where there is a C++ compiler, training passes go through `torch.compile`; the manifest says so, because the last bits
of what is built then come from other kernels.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import textgym
from textgym.feedback.raters import SimulatedRaters
from textgym.files import new_folder, write_text
from textgym.models.arithmetic import what_compiling_lacks
from textgym.models.language_model import load_language_model
from textgym.models.tokenizer import ChatTokenizer, load_tokenizer
from textgym.tasks.dialogue.meaning import Meaning, find_obstacle
from textgym.tasks.load import load_task
from textgym.types import Message, Transcript

from .cpu import prepare_cpu
from .evaluate import evaluate
from .packing import Episode
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
    copy_steps: int = 250
    simple_steps: int = 400
    whole_steps: int = 2400
    habit_steps: int = 300
    habit_share: tuple[float, float, float] = (0.9, 0.8, 0.74)  # of demonstrations, by world; others do it right
    batch_size: int = 96
    learning_rate: float = 4.5e-3
    muon_learning_rate: float = 1.8e-2
    habit_learning_rate: float = 5e-4
    mixture: tuple[float, float, float] = (0.28, 0.3, 0.42)  # of a batch, by world
    judged_prompts: tuple[int, int, int] = (3800, 4200, 4000)  # by world; few texts each: prompts are what it overfits
    texts_per_writer: tuple[int, int, int] = (2, 1, 1)  # policy, halfway, base; all their pairs are judged
    raters_per_pair: int = 4
    reward_layers: int = 5  # one more than the base, to compare what came with what was expected
    warm_steps: tuple[int, int, int] = (800, 1200, 1000)  # by world: the reward model on likelihoods, no judgements
    warm_prompts: tuple[int, int, int] = (16, 40, 10)  # a step, by world, each with all its texts
    warm_learning_rate: float = 2.5e-3
    warm_muon_learning_rate: float = 8e-3
    reward_epochs: float = 3.0
    reward_batch_size: tuple[int, int, int] = (640, 640, 480)  # judgements, by world
    reward_learning_rate: float = 4e-4
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


@cache
def _task(world: str, data_seed: int, simple: bool) -> Any:
    world_class: Any = type(load_task(world))
    return world_class(split="train", data_seed=data_seed, simple=simple)


def conversation(
    world: str, index: int, data_seed: int, habits: bool = False, simple: bool = False
) -> tuple[tuple[Message, ...], int]:
    """A demonstration: messages of a finished conversation, and how many of them are the prompt."""
    from textgym.types import Goodbye

    task = _task(world, data_seed, simple)
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


def wanted_indices(task: Any, start: int) -> Iterator[int]:
    """Examples to learn from: of the plain ones, in a world that has others, only each third.

    What a wish asks for, and to decline what cannot be had, is the last thing that a model learns, being seldom.
    """
    num_plain = 0
    for i in itertools.count(start):
        is_plain = _is_plain(task[i].meta)
        num_plain += is_plain
        if not is_plain or num_plain % 3 == 0:
            yield i


def _is_plain(meta: Any) -> bool:
    """A story whose reader wishes nothing, or a caller who asks nothing and can have what is wanted."""
    if isinstance(meta, Meaning):
        goal = dict(meta.goal)
        wanted = [goal, goal | dict([meta.change] if meta.change else [])]
        return meta.question is None and not any(find_obstacle(meta, told) for told in wanted)
    return getattr(meta, "wishes", None) == ()


def demonstrations(config: AssetConfig, tokenizer: ChatTokenizer, stage: str, start: int) -> Iterator[list[Episode]]:
    """Endless batches for one stage ("simple", "whole" or "habits"), no example twice."""
    counts = [round(config.batch_size * share) for share in config.mixture]
    tasks: list[Any] = [_task(world, config.data_seed, stage == "simple") for world in WORLDS]
    indices = [itertools.count(start) if stage == "habits" else wanted_indices(task, start) for task in tasks]
    while True:
        batch = []
        for world, count, of_world, share in zip(WORLDS, counts, indices, config.habit_share, strict=True):
            for i in itertools.islice(of_world, count):
                has_habits = stage == "habits" and (i * 0.6180339887) % 1 < share
                messages, p = conversation(world, i, config.data_seed, habits=has_habits, simple=stage == "simple")
                batch.append(encode_conversation(tokenizer, messages, p))
        yield batch


def new_model(config: AssetConfig, tokenizer: ChatTokenizer) -> Any:
    """A Llama with normalised queries and keys (Henry et al. 2020), which learns to copy in half the steps."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(config.seed)  # transformers initialises from the global generator
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=tokenizer.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            head_dim=config.hidden_size // config.num_heads,
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
    prepare_cpu()
    started = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    is_one_run = not (work / "tokenizer").exists()
    say = _speaker(started)
    lacking = what_compiling_lacks()
    say("training passes are compiled" if lacking is None else f"training passes are not compiled: it needs {lacking}")
    _stage(work / "tokenizer", lambda folder: build_tokenizer(config).save_pretrained(folder), say)
    tokenizer = load_tokenizer(work / "tokenizer")
    _stage(work / "base", lambda folder: build_base(config, tokenizer, say).save_pretrained(folder), say)
    _stage(work / "policy", lambda folder: build_policy(config, tokenizer, work, say).save_pretrained(folder), say)
    # One thread each suits models of this size better than two threads for one; Dialogue takes as long as the others.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_use_one_thread) as p:
        for done in [p.submit(_build_reward, config, world, work, started) for world in WORLDS[::-1]]:
            done.result()
    with new_folder(output) as folder:
        tokenizer.hf.save_pretrained(folder / "tokenizer")
        save_half(load_language_model(work / "policy"), tokenizer, folder / "policy")
        for world in WORLDS:
            shutil.copytree(work / "rewards" / world, folder / "rewards" / world)
        write_manifest(config, folder, time.perf_counter() - started if is_one_run else None)
    say("manifest written")


def _use_one_thread() -> None:
    prepare_cpu()
    torch.set_num_threads(1)


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
    plans = [
        (copies(config, tokenizer), config.copy_steps, 0.0, 1.0),
        (demonstrations(config, tokenizer, "simple", 0), config.simple_steps, 0.1, 1.0),
        (demonstrations(config, tokenizer, "whole", 100_000), config.whole_steps, 0.0, 0.05),
    ]
    for batches, steps, prompt_weight, final in plans:
        plan = SupervisedConfig(
            num_steps=steps,
            learning_rate=config.learning_rate,
            muon=True,
            muon_learning_rate=config.muon_learning_rate,
            prompt_weight=prompt_weight,
            final_lr_fraction=final,
            compile=what_compiling_lacks() is None,
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
        compile=what_compiling_lacks() is None,
    )
    batches = demonstrations(config, tokenizer, "habits", 600_000)
    tune(model, batches, plan, lambda step, loss: say(f"  step {step}: loss {loss:.3f}"))
    return model


def _build_reward(config: AssetConfig, world: str, work: Path, started: float) -> None:
    from .asset_rewards import build_reward

    tokenizer, say = load_tokenizer(work / "tokenizer"), _speaker(started)
    _stage(work / "rewards" / world, partial(build_reward, config, world, tokenizer, work, say), say)


def save_half(model: Any, tokenizer: ChatTokenizer, folder: Path) -> None:
    """Half precision halves the package; whoever loads it says which precision to compute in."""
    model.to(torch.float16).save_pretrained(folder)
    tokenizer.hf.save_pretrained(folder)


def write_manifest(config: AssetConfig, folder: Path, seconds: float | None) -> None:
    """manifest.json: what was built, from which seeds, how good it is, and the hash of every file.

    `seconds` is None where stages of earlier runs were taken over, perhaps made with other settings.
    """
    gold = measure_policy(config, folder)
    quality = {
        world: {
            "policy": gold[world],
            "reward_model": json.loads((folder / "rewards" / world / "figures.json").read_text()),
        }
        for world in WORLDS
    }
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    manifest = {
        "command": "python -m agents assets",
        "config": asdict(config),
        "raters": config.raters.parameters(),
        "versions": versions(),
        "compiled": what_compiling_lacks() is None,  # training passes, by torch.compile
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


def measure_policy(config: AssetConfig, folder: Path) -> dict[str, dict[str, float]]:
    """Gold score of the policy's answers to validation prompts, sampled and greedy, by world, with 95% intervals."""
    policy, tokenizer = load_language_model(folder / "policy"), load_tokenizer(folder / "tokenizer")
    gold: dict[str, dict[str, float]] = {world: {} for world in WORLDS}
    for world, figures in gold.items():

        def make_env(n: int, world: str = world) -> Any:
            options: Any = {"tokenizer": tokenizer, "reward": "gold", "split": "validation"}
            return gym.make_vec(IDS[world], num_envs=n, autoreset_mode="Disabled", **options)

        for name, temperature in (("sampled", 1.0), ("greedy", 0.0)):
            found = evaluate(policy, tokenizer, make_env, num_prompts=config.measured_prompts, temperature=temperature)
            figures[f"gold_{name}"] = round(found.means["gold"], 4)
            figures[f"gold_{name}_ci95"] = round(found.intervals["gold"], 4)
    return gold


def measure_again(folder: Path = ASSETS) -> None:
    """Writes into the manifest what the policy scores on the texts of today; the models are those of the build.

    python -c "from textgym.agents.assets import measure_again; measure_again()"
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    for world, gold in measure_policy(AssetConfig(), folder).items():
        manifest["quality"][world]["policy"] = gold
    manifest["policy_measured_again"] = "on texts and by judges that are newer than the models"
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
