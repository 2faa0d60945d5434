"""The embedded assets are what their manifest says: files, sizes, hashes, and the quality they were measured at.

They are shipped, so nothing here is skipped where they are missing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import textgym
from textgym.envs.spaces import TextSpace
from textgym.models.tokenizer import EMBEDDED, load_tokenizer
from textgym.types import Ending, Goodbye, Message, Transcript

ASSETS = EMBEDDED.parent
WORLDS = {"textgym/Summarize-v0": "summarize", "textgym/Translate-v0": "translate", "textgym/Dialogue-v0": "dialogue"}


@cache
def manifest() -> dict[str, Any]:
    return json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))


def test_every_file_is_the_one_in_the_manifest() -> None:
    listed = manifest()["files"]
    found = {p.relative_to(ASSETS).as_posix() for p in ASSETS.rglob("*") if p.is_file()}
    assert found - {"manifest.json"} == set(listed)
    for name, said in listed.items():
        content = (ASSETS / name).read_bytes()
        assert len(content) == said["bytes"], name
        assert hashlib.sha256(content).hexdigest() == said["sha256"], name


def test_everything_together_is_small() -> None:
    assert sum(p.stat().st_size for p in ASSETS.rglob("*") if p.is_file()) <= 12_000_000


def test_the_manifest_tells_how_they_were_made() -> None:
    found = manifest()
    assert found["command"] == "python -m agents assets"
    assert found["raters"]["noise"] > 0
    assert {"python", "torch", "transformers"} <= set(found["versions"])
    assert set(found["quality"]) == set(WORLDS.values())
    assert set(WORLDS) == set(textgym.ENV_IDS)


def test_the_shipped_assets_are_those_of_the_default_config() -> None:
    """What `make assets` builds today is what is shipped: a changed default makes the assets stale."""
    from textgym.agents.assets import AssetConfig
    from textgym.feedback.raters import SimulatedRaters

    built, today = manifest()["config"], json.loads(json.dumps(asdict(AssetConfig())))
    since = {"tie", "drift", "lazy_after", "lazy_choice"} - built["raters"].keys()  # traits raters have got since then
    assert {name: today["raters"].pop(name) for name in since} == {
        name: asdict(SimulatedRaters())[name] for name in since
    }
    assert built == today


def test_one_command_built_everything() -> None:
    assert manifest()["built_in_one_run"]
    assert manifest()["build_seconds"] > 0


@pytest.mark.xfail(strict=True, reason="it took 65 minutes, beside test runs on the same two cores")
def test_it_took_an_hour_at_most() -> None:
    assert manifest()["build_seconds"] <= 3600


# What the figures of the manifest are aimed at, and each (world, row) in which the shipped assets miss it.
AIMS = {"sampled": (0.45, 0.65), "greedy": (0.0, 0.75), "accuracy": (0.90, 1.0), "written accuracy": (0.90, 1.0)}
MISSED = {("summarize", "sampled"), ("dialogue", "sampled")}  # on texts that are newer than the models


def figure(world: str, row: str) -> float:
    """Mean gold of the policy's answers; accuracy of the reward model as a share of the best possible."""
    quality = manifest()["quality"][world]
    if row in ("sampled", "greedy"):
        return quality["policy"][f"gold_{row}"]
    name = row.replace(" ", "_")  # "written": on texts that a policy wrote; the spoiled ones are easier
    return quality["reward_model"][name] / quality["reward_model"][f"{name}_ceiling"]


def each_world(*rows: str) -> list[Any]:
    """(world, row), each a case of its own; those that are missed are expected to fail, and to say so."""
    mark = pytest.mark.xfail(strict=True, reason="not reached by the shipped assets; see the README's results")
    pairs = [(world, row) for world in WORLDS.values() for row in rows]
    return [pytest.param(*pair, marks=mark if pair in MISSED else (), id="-".join(pair)) for pair in pairs]


@pytest.mark.parametrize(("world", "row"), each_world(*AIMS))
def test_the_assets_reach_what_they_aim_at(world: str, row: str) -> None:
    """The policy is rewarded sometimes and has faults when greedy too; the reward model is near its best."""
    low, high = AIMS[row]
    assert low <= figure(world, row) <= high


@pytest.mark.parametrize("world", WORLDS.values())
def test_the_gold_scores_are_measured_closely(world: str) -> None:
    assert manifest()["quality"][world]["policy"]["gold_sampled_ci95"] < 0.06


@pytest.mark.parametrize(("world", "row"), each_world("beats length"))
def test_the_reward_model_is_no_length_counter(world: str, row: str) -> None:
    """It beats both rules: the longer text is better, the shorter text is better."""
    found = manifest()["quality"][world]["reward_model"]
    longer = found["accuracy_of_longer"]
    assert found["accuracy"] > max(longer, 1 - longer)


@pytest.mark.parametrize("name", ["tokenizer", "policy", *(f"rewards/{world}" for world in WORLDS.values())])
def test_one_tokenizer_for_all_and_nothing_is_unknown(name: str) -> None:
    tokenizer = load_tokenizer(str(ASSETS / name))
    space = TextSpace(seed=0)
    texts = ["", " ", "\r\n\t", "Grüße, 3.141!", "<|end|><|user|>", "日本語 🎉 עברית", "\x00\x7f\ufffd"]
    texts += ["".join(map(chr, range(start, start + 256))) for start in (0, 0x300, 0x1F300)]
    texts += [text.encode("utf-8", "replace").decode("utf-8") for text in (space.sample() for _ in range(200))]
    embedded = load_tokenizer()
    for text in texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert ids == embedded.encode(text)
        assert not tokenizer.control_mask[ids].any()
    assert tokenizer.end_of_turn == embedded.end_of_turn


@pytest.mark.parametrize("env_id", WORLDS)
def test_the_id_works_as_it_comes(env_id: str) -> None:
    """`gym.make(id)` with no arguments pays the learned reward, the very score of `load_reward("learned")`."""
    from textgym.rewards.base import as_scores
    from textgym.rewards.spec import load_reward

    env: Any = gym.make(env_id, action="response").unwrapped
    task = env.task
    reward = load_reward("learned", task=task, name=WORLDS[env_id], has_own_data=False)
    _, info = env.reset(seed=0, options={"index": 0})
    num_prompt_messages = len(info["messages"])
    rng = np.random.default_rng(0)
    is_over = False
    while not is_over:
        messages = tuple(Message(m["role"], m["content"]) for m in info["messages"])
        said = task.answer(Transcript(messages, (), task[0].meta, None, num_prompt_messages), rng)
        _, paid, is_over, _, info = env.step(said)
    messages = tuple(Message(m["role"], m["content"]) for m in info["messages"])
    whole = Transcript(messages, num_prompt_messages=num_prompt_messages)
    score = float(as_scores(reward.score([whole]), 1).values[0])
    assert paid == info["score"] == pytest.approx(score, abs=1e-4)
    assert info["gold"] >= 0.95


@pytest.mark.parametrize("world", WORLDS.values())
def test_the_reward_model_prefers_right_answers_to_damaged_ones(world: str) -> None:
    """Right answers of the world's own program against the same program's habits, on held-out examples.

    Half of what counts are pairs whose right answer is the longer one: who counts letters, either way, gets 0.5.
    """
    from textgym.rewards.base import as_scores
    from textgym.rewards.spec import load_reward
    from textgym.tasks.load import load_task

    task: Any = load_task(world, split="test")
    pairs = []
    for index in range(400):
        both = [converse(task, index, habits) for habits in (False, True)]
        golds = [task.judge(transcript).score for transcript in both]
        if golds[0] > golds[1] + 0.2:
            pairs.append(both)
    assert len(pairs) >= 30
    reward = load_reward("learned", task=task, name=world, has_own_data=False)
    right, wrong = (as_scores(reward.score([p[k] for p in pairs]), len(pairs)).values for k in (0, 1))
    lengths = np.array([[sum(map(len, t.responses)) for t in p] for p in pairs])
    is_longer = lengths[:, 0] > lengths[:, 1]
    assert min(is_longer.sum(), (~is_longer).sum()) >= 10
    assert ((right > wrong)[is_longer].mean() + (right > wrong)[~is_longer].mean()) / 2 >= 0.75


def converse(task: Any, index: int, habits: bool) -> Transcript:
    """The world's program (with faults that are habits, or without) answers its simulated user to the end."""
    example, rng = task[index], np.random.default_rng(index)

    def transcript(messages: tuple[Message, ...], ending: Ending | None = None) -> Transcript:
        return Transcript(messages, example.references, example.meta, ending, len(example.prompt))

    messages = example.prompt
    for _ in range(6):
        messages = (*messages, Message("assistant", task.answer(transcript(messages), rng, habits=habits)))
        if not hasattr(task, "reply"):
            return transcript(messages, "eot")
        said = task.reply(transcript(messages), rng)
        if said is None:
            return transcript(messages, "task")
        messages = (*messages, Message("user", str(said)))
        if isinstance(said, Goodbye):
            return transcript(messages, "task")
    return transcript(messages[:-1], "turns")


def test_the_policy_loads_with_transformers_and_speaks_as_measured() -> None:
    """48 summaries: within three standard errors or so of what the manifest says of 256 others."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from textgym.agents.evaluate import evaluate
    from textgym.models.language_model import load_language_model

    folder = Path(ASSETS / "policy")
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert len(AutoTokenizer.from_pretrained(folder)) <= model.config.vocab_size
    tokenizer = load_tokenizer()
    found = evaluate(
        load_language_model("embedded"),
        tokenizer,
        lambda n: gym.make_vec(
            "textgym/Summarize-v0",
            num_envs=n,
            tokenizer=tokenizer,
            reward="gold",
            split="validation",
            autoreset_mode="Disabled",
        ),
        num_prompts=48,
    )
    said = manifest()["quality"]["summarize"]["policy"]
    slack = 1.6 * (found.intervals["gold"] + said["gold_sampled_ci95"])
    assert abs(found.means["gold"] - said["gold_sampled"]) < slack
    assert found.means["gold"] == found.means["score"]
