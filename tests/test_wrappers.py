"""The wrappers: specs that rebuild them, what Gymnasium's checkers say, and each one's law."""

from __future__ import annotations

import html
import itertools
import json
import os
import signal
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import PassiveEnvChecker
from test_env_vector import same
from tiny import Counted, CountTask, EchoTask, save_tiny_tokenizer, tiny_policy, tiny_tokenizer

import textgym  # noqa: F401
from textgym import wrappers
from textgym.envs.single import TextEnv
from textgym.envs.vector import TextVectorEnv
from textgym.wrappers import (
    HistoryWindow,
    PotentialShaping,
    ReferenceLogprob,
    TextToTokens,
    TranscriptRecorder,
    TurnLimit,
    VectorReferenceLogprob,
    VectorVocabularyMask,
    VocabularyMask,
)

SIZES: dict[str, Any] = {"context_length": 160, "max_new_tokens": 6, "max_turns": 3}
TOKENIZER = tiny_tokenizer()
EOT, V = TOKENIZER.end_of_turn, TOKENIZER.vocab_size


def make(task: type[EchoTask] = EchoTask, reward: Any = None, **kwargs: Any) -> TextEnv:
    return TextEnv(task(), reward or Counted(), TOKENIZER, **{**SIZES, **kwargs})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a config can say: folders of a tokenizer and a policy."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_policy(max_position_embeddings=640).save_pretrained(folder / "policy")
    save_tiny_tokenizer(folder / "policy")
    return {"policy": str(folder / "policy"), "words": str(_lexicon(folder)), "transcripts": str(folder / "kept")}


def _lexicon(folder: Path) -> Path:
    path = folder / "words.txt"
    path.write_text("bridge\nmayor\n\nMonday\n", encoding="utf-8")
    return path


def wrapped(env: gym.Env, name: str, tiny: dict[str, Any]) -> gym.Env:
    """Each wrapper with arguments that JSON knows."""
    given: dict[str, dict[str, Any]] = {
        "HistoryWindow": {"last": 3},
        "PotentialShaping": {"potential": "reward", "gamma": 0.9, "scale": 0.5},
        "ReferenceLogprob": {"beta": 0.25, "model": tiny["policy"]},
        "TextToTokens": {},
        "TranscriptRecorder": {"folder": tiny["transcripts"], "name": name},
        "TurnLimit": {"max_turns": 2},
        "VocabularyMask": {"words": tiny["words"], "top_k": 9, "model": tiny["policy"]},
    }
    return getattr(wrappers, name)(env, **given[name])


SINGLE = [name for name in wrappers.__all__ if not name.startswith("Vector")]
BOTH_DOORS = ("HistoryWindow", "PotentialShaping", "TranscriptRecorder", "TurnLimit")
CASES = [*((name, "token") for name in SINGLE), *((name, "response") for name in BOTH_DOORS)]


def play(env: gym.Env, seed: int, steps: int = 40) -> list[Any]:
    """Everything that an env says to the same actions."""
    env.action_space.seed(seed)
    found: list[Any] = [env.reset(seed=seed)]
    for _ in range(steps):
        found.append(env.step(env.action_space.sample()))
        if found[-1][2] or found[-1][3]:
            found.append(env.reset())
    return found


@pytest.mark.parametrize(("name", "action"), CASES)
def test_specs_round_trip_and_checkers_are_silent(name: str, action: str, tiny: dict[str, Any]) -> None:
    env_id = "textgym/Dialogue-v0"
    inner = gym.make(env_id, action=action, tokenizer=tiny["policy"], reward="gold", context_length=640)
    env = wrapped(inner, name, tiny)
    spec = EnvSpec.from_json(env.spec.to_json())
    again = gym.make(spec)
    assert type(again) is type(env)
    assert again.spec == env.spec
    assert again.observation_space == env.observation_space
    for a, b in zip(play(env, 3), play(again, 3), strict=True):
        same(a, b)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(env)
        play(PassiveEnvChecker(again), 4)
    # The one thing that check_env says of anything that is wrapped.
    assert ["different from the unwrapped version" in str(warning.message) for warning in said] == [True]


def test_objects_are_held_and_named(tiny: dict[str, Any]) -> None:
    model = tiny_policy(max_position_embeddings=640)
    env = gym.make("textgym/Summarize-v0", tokenizer=tiny["policy"], reward="gold", context_length=640)
    env = ReferenceLogprob(env, beta=0.1, model=model)
    again = gym.make(env.spec)
    assert again.reference.model is model
    with pytest.raises(ValueError, match="model of ReferenceLogprob"):
        env.spec.to_json()
    with pytest.raises(ValueError, match="model of ReferenceLogprob"):
        gym.wrappers.RecordEpisodeStatistics(env).spec.to_json()


def test_whole_conversations_are_asked_for() -> None:
    window = HistoryWindow(make(), last=5)
    for wrap in (PotentialShaping, TextToTokens, HistoryWindow):
        with pytest.raises(ValueError, match="inside"):
            wrap(window, **({"last": 3} if wrap is HistoryWindow else {}))
    for wrap in (TextToTokens, lambda e: ReferenceLogprob(e, 0.1), lambda e: VocabularyMask(e, top_k=3)):
        with pytest.raises(ValueError, match="token"):
            wrap(make(action="response"))


# -- reference log-probability ---------------------------------------------------------------------


@pytest.mark.parametrize("task", [EchoTask, CountTask])
def test_the_reference_is_added_token_by_token(task: type[EchoTask]) -> None:
    """Against one plain forward pass of the whole conversation; each token is read once but for prompts."""
    import torch

    model, rng = tiny_policy(1), np.random.default_rng(0)
    env, plain = ReferenceLogprob(make(task), beta=0.5, model=model), make(task)
    allowed = torch.from_numpy(~TOKENIZER.control_mask)
    for seed in range(6):
        state, _ = env.reset(seed=seed)
        plain.reset(seed=seed)
        is_over = False
        while not is_over:
            token = int(EOT if rng.random() < 0.2 else rng.choice(np.flatnonzero(~TOKENIZER.control_mask)))
            after, reward, is_over, _, _ = env.step(token)
            with torch.no_grad():
                logits = model(torch.as_tensor(state[state >= 0])[None]).logits[0, -1]
            expected = torch.log_softmax(logits[:V].masked_fill(~allowed, -torch.inf), 0)[token]
            assert reward == pytest.approx(plain.step(token)[1] + 0.5 * float(expected), abs=1e-5)
            state = after


def test_the_reference_keeps_its_cache() -> None:
    env = ReferenceLogprob(make(max_new_tokens=20), beta=0.5, model=tiny_policy())
    state, _ = env.reset(seed=0)
    prompt = int((state >= 0).sum())
    for _ in range(20):
        env.step(40)
    assert prompt <= env.reference.reader.tokens_read <= prompt + 8 + 19


def test_control_tokens_cost_a_finite_amount() -> None:
    env = ReferenceLogprob(make(), beta=1.0, model=tiny_policy())
    env.reset(seed=0)
    assert np.isfinite(env.step(int(np.flatnonzero(TOKENIZER.control_mask)[0]))[1])


def test_a_vector_of_references_is_its_singles() -> None:
    n, model, rng = 4, tiny_policy(), np.random.default_rng(2)
    vector = VectorReferenceLogprob(
        TextVectorEnv(CountTask(), Counted(), TOKENIZER, num_envs=n, **SIZES), beta=0.7, model=model
    )
    singles = [ReferenceLogprob(make(CountTask), beta=0.7, model=model) for _ in range(n)]
    vector.reset(seed=0)
    for row, env in enumerate(singles):
        env.reset(seed=row)
    for _ in range(50):
        tokens = np.where(rng.random(n) < 0.2, EOT, rng.integers(V, size=n))
        observations, rewards, terminations, _, _ = vector.step(tokens)
        for row, env in enumerate(singles):
            observation, reward, terminated, _, _ = env.step(int(tokens[row]))
            assert rewards[row] == pytest.approx(reward, abs=1e-5)
            assert terminations[row] == terminated
            observation = env.reset()[0] if terminated else observation
            np.testing.assert_array_equal(observations[row], observation)
    other = TextVectorEnv(EchoTask(), Counted(), TOKENIZER, num_envs=2, autoreset_mode="Disabled", **SIZES)
    with pytest.raises(ValueError, match="SameStep"):
        VectorReferenceLogprob(other, beta=0.1, model=model)


CHOICES = (EOT, 70, 71, 72)  # a vocabulary of four: end of turn and three letters


def enumerate_tree(env: ReferenceLogprob, length: int) -> dict[tuple[int, ...], float]:
    """Every way to step through an episode of at most `length` of the four tokens -> the reward of its last step."""
    paid: dict[tuple[int, ...], float] = {}
    for count in range(1, length + 1):
        for path in itertools.product(CHOICES, repeat=count):
            if EOT in path[:-1]:
                continue
            env.reset(seed=0, options={"index": 3})
            for token in path:
                _, reward, _, _, _ = env.step(token)
            paid[path] = reward
    return paid


def solve(paid: dict[tuple[int, ...], float], beta: float, counts_entropy: bool) -> dict[tuple[int, ...], float]:
    """Log-probability of each finished response under the policy that is optimal for the rewards.

    Backwards through the tree: π(a|s) ∝ exp(Q(s, a) / β). With `counts_entropy` the value of a state includes its
    future entropy, as in the regularised return; without, the entropy is a bonus of each state's own loss.
    """
    logprobs: dict[tuple[int, ...], float] = {}

    def value(state: tuple[int, ...]) -> tuple[float, dict[tuple[int, ...], float]]:
        followed, q = [], []
        for token in CHOICES:
            path = (*state, token)
            is_end = token == EOT or len(path) == max(map(len, paid))
            after, ways = (0.0, {path: 0.0}) if is_end else value(path)
            q.append(paid[path] + after)
            followed.append(ways)
        scaled = np.array(q) / beta
        log_policy = scaled - np.logaddexp.reduce(scaled)
        policy = np.exp(log_policy)
        worth = beta * np.logaddexp.reduce(scaled) if counts_entropy else float(policy @ np.array(q))
        ways = {path: lp + log_policy[k] for k, found in enumerate(followed) for path, lp in found.items()}
        return float(worth), ways

    logprobs |= value(())[1]
    return logprobs


def optima(seed: int, beta: float, length: int = 3) -> dict[str, tuple[float, float]]:
    """KL(π ‖ π*) in nats and total variation, of the two optima, from π* ∝ π_ref exp(r / β) over whole responses."""
    import torch

    model = tiny_policy(seed)
    with torch.no_grad():
        for p in model.parameters():
            p *= 2.0  # or a random model of this size is all but uniform
    score = Counted(lambda t: sum((k + 1 + seed) * ord(c) for k, c in enumerate(t.response)) % 7 / 7)
    env = ReferenceLogprob(make(reward=score, max_new_tokens=length), beta=beta, model=model)
    paid = enumerate_tree(env, length)
    finished = [path for path in paid if path[-1] == EOT or len(path) == length]
    # Each path's sum of rewards is score + β log π_ref(path): what π* is proportional to the exponential of.
    totals = np.array([sum(paid[path[: k + 1]] for k in range(len(path))) for path in finished]) / beta
    log_best = totals - np.logaddexp.reduce(totals)
    found = {}
    for name, counts in (("return", True), ("bonus", False)):
        solved = solve(paid, beta, counts)
        mine = np.array([solved[path] for path in finished])
        assert np.exp(mine).sum() == pytest.approx(1)
        found[name] = (
            float((np.exp(mine) * (mine - log_best)).sum()),
            float(abs(np.exp(mine) - np.exp(log_best)).sum() / 2),
        )
    return found


def test_the_optimum_is_the_one_of_kl_control() -> None:
    """With the entropy in the return the enumerated optimum is π*; with a bonus in the loss it is near, and not it."""
    distances = optima(seed=0, beta=0.1)
    kl, variation = distances["return"]
    assert abs(kl) < 1e-6
    assert variation < 1e-6
    assert distances["bonus"][0] > 5e-4


@pytest.mark.parametrize(("beta", "printed"), [(0.1, 0.050), (0.5, 0.0007)])
def test_a_bonus_in_the_loss_is_as_far_from_it_as_the_docs_say(beta: float, printed: float) -> None:
    found = np.mean([optima(seed=seed, beta=beta)["bonus"][0] for seed in range(1, 23)])
    assert found == pytest.approx(printed, rel=0.1)


# -- potential-based shaping -----------------------------------------------------------------------


@pytest.mark.parametrize("action", ["token", "response"])
@pytest.mark.parametrize("task", [EchoTask, CountTask])
def test_shaping_telescopes_to_the_score_to_the_last_bit(task: type[EchoTask], action: str) -> None:
    env = PotentialShaping(make(task, action=action), potential=lambda t: len(t.response) / 7 - len(t.messages) / 3)
    moved = 0
    for seed in range(30):
        env.action_space.seed(seed)
        env.reset(seed=seed)
        total, is_over, rewards = 0.0, False, []
        while not is_over:
            _, reward, is_over, _, info = env.step(env.action_space.sample())
            total += reward
            rewards.append(reward)
        assert total == info["score"]
        moved += len(rewards) > 1 and any(rewards[:-1])
    assert moved > 5 or (task is EchoTask and action == "response")  # which has one step


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_shaping_leaves_discounted_returns_and_its_terms_are_those_of_the_paper(gamma: float) -> None:
    def potential(transcript: Any) -> float:
        return len(transcript.response) / 8

    shaped = PotentialShaping(make(CountTask), potential=potential, gamma=gamma, scale=2.0)
    plain = make(CountTask)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        shaped.reset(seed=seed)
        plain.reset(seed=seed)
        difference, factor, phi, is_over = 0.0, 1.0, 0.0, False
        while not is_over:
            token = int(EOT if rng.random() < 0.2 else rng.integers(97, 122))
            _, reward, is_over, _, _ = shaped.step(token)
            unshaped = plain.step(token)[1]
            said = "" if is_over else shaped._heard.so_far()[-1]
            if not is_over and said["role"] == "assistant":
                after = 2.0 * len(said["content"]) / 8
                assert reward - unshaped == pytest.approx(gamma * after - phi)
            phi = shaped._phi
            difference += factor * (reward - unshaped)
            factor *= gamma
        assert difference == pytest.approx(0, abs=1e-9)


def test_a_truncated_episode_keeps_its_potential() -> None:
    env = PotentialShaping(gym.wrappers.TimeLimit(make(), 3), potential=lambda t: len(t.response))
    env.reset(seed=0)
    steps = [env.step(70) for _ in range(3)]
    assert steps[-1][3]
    assert [reward for _, reward, *_ in steps] == [1.0, 1.0, 1.0]


def test_the_envs_own_reward_and_metrics_are_potentials() -> None:
    for potential in ("reward", "gold", "rouge1"):
        env = PotentialShaping(make(reward=Counted(lambda t: float(len(t.response)))), potential=potential)
        env.reset(seed=0)
        env.step(70)
    with pytest.raises(ValueError, match="gamma"):
        PotentialShaping(make(), gamma=1.5)
    with pytest.raises(ValueError, match="nonsense"):
        PotentialShaping(make(), potential="nonsense")


# -- limits, windows, doors ------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["token", "response"])
def test_turn_limit_truncates_and_nothing_is_scored(action: str) -> None:
    env = TurnLimit(make(CountTask, max_turns=5, action=action), max_turns=2)
    for seed in range(3):
        env.reset(seed=seed)
        turns, is_over = 0, False
        while not is_over:
            _, reward, terminated, truncated, info = env.step("go on" if action == "response" else 70)
            turns += "messages" in info
            is_over = terminated or truncated
        assert (turns, terminated, truncated, reward) == (2, False, True, 0.0)
        assert "score" not in info
    env.reset(seed=0)
    said = "stop" if action == "response" else None
    if said:  # an ending of the env's own stays one
        assert env.step("go on")[2:4] == (False, False)
        assert env.step(said)[2:4] == (True, False)


def test_window_shows_the_last_tokens() -> None:
    env, plain = HistoryWindow(make(CountTask), last=7), make(CountTask)
    rng = np.random.default_rng(0)
    seen, whole = env.reset(seed=1)[0], plain.reset(seed=1)[0]
    for _ in range(60):
        ids = whole[whole >= 0]
        np.testing.assert_array_equal(seen, ids[-7:])
        token = int(rng.integers(V))
        seen, _, is_over, _, info = env.step(token)
        whole, _, _, _, expected = plain.step(token)
        same(info, expected)
        if is_over:
            seen, whole = env.reset()[0], plain.reset()[0]
    long = HistoryWindow(make(), last=200)
    seen, whole = long.reset(seed=1)[0], make().reset(seed=1)[0]
    np.testing.assert_array_equal(seen[:160], whole)
    assert (seen[160:] == -1).all()


def test_window_shows_the_last_messages() -> None:
    env = HistoryWindow(make(CountTask, action="response"), last=2)
    env.reset(seed=0)
    seen, _, _, _, info = env.step("one")
    assert seen == "\n\n".join(f"{m['role']}: {m['content']}" for m in info["messages"][-2:])
    assert seen.startswith("assistant: one\n\nuser: number")


@pytest.mark.parametrize("task", [EchoTask, CountTask])
def test_texts_into_a_token_env_are_the_response_door(task: type[EchoTask]) -> None:
    texts = ["", "stop", "one two three four five six", "w1 w2", "leave", "<|end|>", "é 🎉"]
    env, door = TextToTokens(make(task)), make(task, action="response")
    assert env.observation_space == door.observation_space
    same(env.reset(seed=2), door.reset(seed=2))
    for k in range(60):
        text = texts[(k * 5) % len(texts)]
        found, expected = env.step(text), door.step(text)
        same(found, expected)
        if found[2]:
            same(env.reset(), door.reset())
    limited = TextToTokens(gym.wrappers.TimeLimit(make(), 2))
    limited.reset(seed=0)
    seen, _, terminated, truncated, _ = limited.step("w1 w2 w3")
    assert (terminated, truncated) == (False, True)
    assert seen.endswith(f"assistant: {TOKENIZER.decode(TOKENIZER.encode('w1 w2 w3')[:2])}")


def test_token_wrappers_work_beneath_texts() -> None:
    env = TextToTokens(ReferenceLogprob(make(), beta=0.5, model=tiny_policy()))
    inner = ReferenceLogprob(make(), beta=0.5, model=tiny_policy())
    env.reset(seed=0)
    inner.reset(seed=0)
    total = sum(inner.step(token)[1] for token in [*TOKENIZER.encode("w1"), EOT])
    assert env.step("w1")[1] == pytest.approx(total)


# -- vocabulary masks ------------------------------------------------------------------------------


def test_a_lexicon_is_its_tokens_the_prompts_and_the_end() -> None:
    words = ["w1 w2"]
    ids = {*TOKENIZER.encode("w1 w2"), *TOKENIZER.encode(" w1 w2"), EOT}
    alone = VocabularyMask(make(), words=words, with_prompt=False)
    alone.reset(seed=0)
    assert set(np.flatnonzero(alone.action_masks())) == ids
    env = VocabularyMask(make(mask=True), words=words)
    observation, info = env.reset(seed=0)
    prompt = {i for i in observation[observation >= 0].tolist() if not TOKENIZER.control_mask[i]}
    assert set(np.flatnonzero(env.action_masks())) == ids | prompt
    np.testing.assert_array_equal(info["action_mask"], env.action_masks())
    assert env.step(70)[4]["action_mask"][70] == 1
    with pytest.raises(ValueError, match="words or top_k"):
        VocabularyMask(make())
    with pytest.raises(ValueError, match="words must be"):
        VocabularyMask(make(), words="no such file")


def test_top_k_are_the_likeliest_of_the_reference() -> None:
    import torch

    n, model = 3, tiny_policy(4)
    vector = VectorVocabularyMask(
        TextVectorEnv(CountTask(), Counted(), TOKENIZER, num_envs=n, **SIZES), top_k=5, model=model
    )
    rng = np.random.default_rng(0)
    observations, _ = vector.reset(seed=0)
    for _ in range(25):
        masks = vector.action_masks()
        for row in range(n):
            with torch.no_grad():
                logits = model(torch.as_tensor(observations[row][observations[row] >= 0])[None]).logits[0, -1].numpy()
            logits[TOKENIZER.control_mask] = -np.inf
            assert set(np.flatnonzero(masks[row])) == {*np.argsort(-logits)[:5].tolist(), EOT}
        observations = vector.step(np.array([rng.choice(np.flatnonzero(mask)) for mask in masks]))[0]


# -- transcripts -----------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags of a page and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("action", ["token", "response"])
def test_transcripts_are_what_was_said(action: str, tmp_path: Path) -> None:
    limit, stop = (2, "stop") if action == "response" else (9, EOT)
    env = TranscriptRecorder(gym.wrappers.TimeLimit(make(CountTask, action=action), limit), str(tmp_path))
    endings: list[Any] = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        env.action_space.seed(seed)
        env.reset(seed=seed)
        total, steps, is_over = 0.0, 0, False
        while not is_over:
            action_now = stop if rng.random() < 0.3 else env.action_space.sample()
            _, reward, terminated, truncated, info = env.step(action_now)
            total, steps, is_over = total + reward, steps + 1, terminated or truncated
        line = json.loads((tmp_path / "transcripts.jsonl").read_text().splitlines()[-1])
        assert (line["episode"], line["steps"], line["return"], line["truncated"]) == (seed, steps, total, truncated)
        if terminated:
            assert line["messages"] == info["messages"]
            assert (line["score"], line["ending"]) == (info["score"], info["ending"])
            assert line["gold"] == info["gold"]
        endings.append(line.get("ending"))
    assert len(set(endings)) > 1
    page = Page((tmp_path / "transcripts.html").read_text())
    assert page.tags.count("article") == 12


def test_the_page_escapes_and_the_files_are_continued(tmp_path: Path) -> None:
    nasty = "<script>alert('x')</script> & \"<b>\""
    for _ in range(2):
        env = TranscriptRecorder(make(action="response", max_new_tokens=90), str(tmp_path), name="kept")
        env.reset(seed=0)
        env.step(nasty)
    raw = (tmp_path / "kept.html").read_text()
    page = Page(raw)
    assert "<script>" not in raw
    assert html.escape(nasty) in raw
    assert page.text.count(nasty) == 2
    assert "script" not in page.tags
    lines = (tmp_path / "kept.jsonl").read_text().splitlines()
    assert [json.loads(line)["episode"] for line in lines] == [0, 1]
    with open(tmp_path / "kept.jsonl", "a") as half:
        half.write('{"episode": 2, "ind')
    env = TranscriptRecorder(make(action="response"), str(tmp_path), name="kept")
    env.reset(seed=0)
    env.step("w1")
    lines = (tmp_path / "kept.jsonl").read_text().splitlines()
    assert [json.loads(line)["episode"] for line in lines] == [0, 1, 2]


def test_a_kill_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_wrappers import make, TranscriptRecorder\n"
        "env = TranscriptRecorder(make(action='response'), sys.argv[2])\n"
        "for seed in range(10**6):\n"
        "    env.reset(seed=seed); env.step('w1'); print(seed, flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        finished = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
    assert finished[-1].strip() == "19"
    lines = (tmp_path / "transcripts.jsonl").read_text().splitlines()
    assert len(lines) >= 20
    assert [json.loads(line)["episode"] for line in lines[:20]] == list(range(20))
    assert Page((tmp_path / "transcripts.html").read_text()).tags.count("article") >= 20


# -- what Gymnasium has already --------------------------------------------------------------------


def test_gymnasiums_own_normalisation_serves(tiny: dict[str, Any]) -> None:
    """Single: its spec rebuilds it. Vector: rewards end up with a spread of about one, nothing else moves."""
    env = gym.make("textgym/Summarize-v0", tokenizer=tiny["policy"], reward="gold", context_length=640)
    env = gym.wrappers.NormalizeReward(env, gamma=0.99)
    assert gym.make(EnvSpec.from_json(env.spec.to_json())).spec == env.spec
    reward = Counted(lambda t: 100.0 * len(t.response))
    vector: Any = TextVectorEnv(EchoTask(), reward, TOKENIZER, num_envs=8, action="response", **SIZES)
    vector = gym.wrappers.vector.NormalizeReward(vector, gamma=0.99)
    vector.reset(seed=0)
    rng = np.random.default_rng(0)
    rewards = [vector.step(tuple("abcdefgh"[: rng.integers(8)] for _ in range(8)))[1] for _ in range(200)]
    assert 0.5 < np.std(rewards[50:]) < 2
