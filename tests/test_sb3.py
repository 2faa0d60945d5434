"""Stable-Baselines3 on textgym: its vector env is SB3's own of single envs, its language model reads nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from test_env_vector import same
from tiny import Counted, CountTask, EchoTask, save_tiny_tokenizer, tiny_policy, tiny_tokenizer

import textgym

pytest.importorskip("stable_baselines3")
torch = pytest.importorskip("torch")

from stable_baselines3 import A2C, DQN, PPO  # noqa: E402
from stable_baselines3.common.env_checker import check_env  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor  # noqa: E402

from textgym.envs.single import TextEnv  # noqa: E402
from textgym.envs.vector import TextVectorEnv  # noqa: E402
from textgym.sb3 import LanguageModelPolicy, ResponseBuffer, VecEnv, minibatches, pieces  # noqa: E402
from textgym.wrappers import VectorReferenceLogprob, VectorVocabularyMask, VocabularyMask  # noqa: E402

SIZES: dict[str, Any] = {"context_length": 160, "max_new_tokens": 6, "max_turns": 3}
TOKENIZER = tiny_tokenizer()
EOT, V = TOKENIZER.end_of_turn, TOKENIZER.vocab_size
TASKS = {"echo": EchoTask, "count": CountTask}
VectorEnv = Any


def native(task: str, n: int, reward: Any = None, **kwargs: Any) -> TextVectorEnv:
    return TextVectorEnv(TASKS[task](), reward or Counted(), TOKENIZER, num_envs=n, **{**SIZES, **kwargs})


def single(task: str, limit: int | None = None, **kwargs: Any) -> gym.Env:
    env = TextEnv(TASKS[task](), Counted(), TOKENIZER, **{**SIZES, **kwargs})
    return env if limit is None else gym.wrappers.TimeLimit(env, limit)


def random_tokens(rng: np.random.Generator, n: int) -> np.ndarray:
    """Token ids that end a turn one time in six."""
    return np.where(rng.random(n) < 1 / 6, EOT, rng.integers(V, size=n))


# -- the vector env --------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "limit"), [("echo", None), ("echo", 4), ("count", None), ("count", 9)])
def test_equals_sb3s_own_vector_env_of_singles(task: str, limit: int | None) -> None:
    n, rng = 5, np.random.default_rng(0)
    ours = VecEnv(native(task, n, max_episode_steps=limit))
    theirs = DummyVecEnv([lambda: single(task, limit)] * n)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.seed(3) == theirs.seed(3)
    same(ours.reset(), theirs.reset())
    same(ours.reset_infos, theirs.reset_infos)
    truncations = endings = 0
    for step in range(150):
        actions = random_tokens(rng, n)
        found, expected = ours.step(actions), theirs.step(actions)
        for name, a, b in zip(("observations", "rewards", "dones"), found[:3], expected[:3], strict=True):
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b, err_msg=f"{name} at step {step}")
        same(found[3], expected[3])
        same(ours.reset_infos, theirs.reset_infos)
        truncations += sum(info["TimeLimit.truncated"] for info in found[3])
        endings += sum("ending" in info for info in found[3])
    assert endings > 10
    assert (truncations > 10) == (limit is not None)
    same(ours.reset(), theirs.reset())  # seeds are used once


def test_options_pick_examples_once() -> None:
    env = VecEnv(native("echo", 3))
    env.seed(0)
    env.set_options([{"index": 5}, {"index": 6}, {"index": 7}])
    env.reset()
    assert [info["index"] for info in env.reset_infos] == [5, 6, 7]
    env.reset()
    assert [info["index"] for info in env.reset_infos] != [5, 6, 7]
    env.set_options([{"index": 5}, {}, {"index": 7}])
    with pytest.raises(ValueError, match="options must be"):
        env.reset()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("limit", [None, 5])
def test_so_many_episodes_that_begin_one_after_the_other_play_one_prompt(task: str, limit: int | None) -> None:
    n, k, rng = 6, 4, np.random.default_rng(0)
    inner = VectorReferenceLogprob(native(task, n, max_episode_steps=limit), beta=0.1, model=tiny_policy())
    env = VecEnv(inner, samples_per_prompt=k)
    env.seed(0)
    observations = env.reset()
    begun = [info["index"] for info in env.reset_infos]
    for _ in range(80):
        lengths = (observations >= 0).sum(axis=1)
        observations, _, dones, infos = env.step(random_tokens(rng, n))
        for row in dones.nonzero()[0]:
            begun.append(env.reset_infos[row]["index"])
            prompt = TOKENIZER.prompt_ids(TASKS[task]()[begun[-1]].prompt)
            assert observations[row][: len(prompt) + 1].tolist() == [*prompt, -1]
            last = infos[row]["terminal_observation"]  # that of the episode that is over, not of the one begun
            assert (last >= 0).sum() > lengths[row]
        assert (inner._states == observations).all()  # wrappers between have seen the change
    assert len(begun) > 30
    for at in range(0, len(begun) - k, k):
        assert len(set(begun[at : at + k])) == 1
    assert len(set(begun)) > len(begun) / k / 2


@pytest.mark.parametrize("env_id", textgym.ENV_IDS)
def test_every_id_shares_prompts(env_id: str, tmp_path: Path) -> None:
    tokenizer = save_tiny_tokenizer(tmp_path)
    sizes = {"context_length": 640, "max_new_tokens": 4, "reward": "gold", "tokenizer": tokenizer}
    env, rng = VecEnv(gym.make_vec(env_id, num_envs=4, **sizes), samples_per_prompt=4), np.random.default_rng(0)
    env.seed(0)
    env.reset()
    begun = [info["index"] for info in env.reset_infos]
    for _ in range(60):
        _, _, dones, _ = env.step(rng.integers(V, size=4))
        begun += [env.reset_infos[row]["index"] for row in dones.nonzero()[0]]
    groups = [set(begun[at : at + 4]) for at in range(0, len(begun) - 4, 4)]
    assert len(groups) > 1
    assert all(len(indices) == 1 for indices in groups)


def test_one_reward_call_a_step() -> None:
    reward = Counted()
    env = VecEnv(native("echo", 8, reward))
    env.reset()
    for _ in range(SIZES["max_new_tokens"] - 1):
        env.step(np.full(8, 40))
    assert reward.batches == []
    _, _, dones, _ = env.step(np.full(8, 40))
    assert dones.all()
    assert reward.batches == [8]


def test_masks_and_attributes_as_sb3_contrib_asks_for_them() -> None:
    from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported

    env = VecEnv(native("echo", 4))
    env.reset()
    assert is_masking_supported(env)
    np.testing.assert_array_equal(get_action_masks(env), np.tile(~TOKENIZER.control_mask, (4, 1)))
    assert [mask().sum() for mask in env.get_attr("action_masks", [1, 2])] == [(~TOKENIZER.control_mask).sum()] * 2
    assert env.get_attr("action_space") == [env.action_space] * 4
    assert env.env_is_wrapped(gym.wrappers.TimeLimit, indices=[0, 1]) == [False, False]
    with pytest.raises(AttributeError):
        env.get_attr("no_such_thing")
    with pytest.raises(AttributeError, match="action_masks"):
        env.env_method("no_such_thing")
    narrow = VecEnv(VectorVocabularyMask(native("echo", 4), words=["w1 w2"], with_prompt=False))
    narrow.reset()
    masks = get_action_masks(narrow)
    ids = {*TOKENIZER.encode("w1 w2"), *TOKENIZER.encode(" w1 w2"), EOT}
    assert [set(mask.nonzero()[0]) for mask in masks] == [ids] * 4


def test_renders_and_closes(capsys: pytest.CaptureFixture[str]) -> None:
    env = VecEnv(native("echo", 2, render_mode="ansi"))
    env.reset()
    assert all("user:" in text for text in env.render())
    assert env.env_method("render", indices=[1]) == [env.render()[1]]
    with pytest.raises(ValueError, match="render_mode"):
        env.render("human")
    env.close()
    assert env.vector_env.closed
    human = VecEnv(native("echo", 2, render_mode="human"))
    human.reset()
    human.render()
    assert "user:" in capsys.readouterr().out


def test_what_cannot_be_adapted_is_refused() -> None:
    for mode in ("NextStep", "Disabled"):
        with pytest.raises(ValueError, match="SameStep"):
            VecEnv(native("echo", 2, autoreset_mode=mode))
    with pytest.raises(ValueError, match="token"):
        VecEnv(native("echo", 2, action="response"))
    with pytest.raises(TypeError, match="make_vec"):
        VecEnv(single("echo"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="samples_per_prompt"):
        VecEnv(native("echo", 2), samples_per_prompt=0)


# -- algorithms as they are ------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", textgym.ENV_IDS)
def test_sb3s_own_check(env_id: str, tmp_path: Path) -> None:
    tokenizer = save_tiny_tokenizer(tmp_path)
    check_env(gym.make(env_id, tokenizer=tokenizer, reward="gold", context_length=640, max_new_tokens=8).unwrapped)


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("algorithm", [PPO, A2C, DQN])
def test_algorithms_run_as_they_are(algorithm: Any, vectorised: bool) -> None:
    env: Any = VecMonitor(VecEnv(native("echo", 4))) if vectorised else single("echo")
    options: dict[str, Any] = {PPO: {"n_steps": 16, "batch_size": 16}, A2C: {}, DQN: {"learning_starts": 16}}[algorithm]
    agent = algorithm("MlpPolicy", env, seed=0, device="cpu", **options)
    before = {name: p.clone() for name, p in agent.policy.state_dict().items()}
    agent.learn(128)
    assert agent.num_timesteps >= 128
    assert any((p != before[name]).any() for name, p in agent.policy.state_dict().items())
    assert len(agent.ep_info_buffer) > 5
    assert all(1 <= episode["l"] <= SIZES["max_new_tokens"] for episode in agent.ep_info_buffer)


@pytest.mark.parametrize("vectorised", [False, True])
def test_maskable_ppo_says_nothing_but_the_lexicon(vectorised: bool) -> None:
    from sb3_contrib import MaskablePPO

    words = ["w3 w4 w5"]
    said: list[str] = []

    def note(transcript: Any) -> float:
        said.append(transcript.response)
        return 0.0

    if vectorised:
        env: Any = VecEnv(VectorVocabularyMask(native("echo", 4, Counted(note)), words=words, with_prompt=False))
    else:
        env = VocabularyMask(TextEnv(EchoTask(), Counted(note), TOKENIZER, **SIZES), words=words, with_prompt=False)
    MaskablePPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(64)
    assert len(said) > 8
    assert set("345") <= set("".join(said)) <= set("w345 ")  # all its words, and no others


# -- a language model as the policy ----------------------------------------------------------------


def make_agent(env: Any, **options: Any) -> PPO:
    given: dict[str, Any] = {"n_steps": 24, "batch_size": 48, "n_epochs": 1, "gamma": 1.0, "seed": 0, "device": "cpu"}
    policy = {"model": tiny_policy(), "tokenizer": TOKENIZER, **options.pop("policy_kwargs", {})}
    buffer = {"rollout_buffer_class": ResponseBuffer}
    return PPO(LanguageModelPolicy, env, policy_kwargs=policy, **{**given, **buffer, **options})


@pytest.mark.parametrize("task", TASKS)
def test_with_and_without_the_cache_it_says_and_learns_the_same(task: str) -> None:
    """Rollouts, log-probabilities and gradients of whole updates, with rows ending at different times."""
    agents = []
    for keeps in (True, False):
        agents.append(make_agent(VecEnv(native(task, 6, max_episode_steps=9)), policy_kwargs={"keeps_cache": keeps}))
        agents[-1].learn(6 * 24)
    cached, plain = (agent.rollout_buffer for agent in agents)
    np.testing.assert_array_equal(cached.actions, plain.actions)
    for name in ("log_probs", "values", "advantages"):
        np.testing.assert_allclose(getattr(cached, name), getattr(plain, name), atol=1e-4)
    for a, b in zip(*(agent.policy.parameters() for agent in agents), strict=True):
        # Adam turns gradients that are zero but for rounding into steps of the rate's size; the means do not care.
        assert float((a - b).abs().mean()) < 2e-5
    reads = [agent.policy.reader.tokens_read for agent in agents]
    assert 0 < reads[0] < 24 * 6 * 40
    assert reads[1] == 0


def test_minibatches_are_whole_responses_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(VecEnv(native("echo", 6)))
    read: list[int] = []
    inner = agent.policy.model.base_model.forward

    def counting(*args: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled():
            read.append(len(kwargs["input_ids"]))
        return inner(*args, **kwargs)

    monkeypatch.setattr(agent.policy.model.base_model, "forward", counting)
    agent.learn(6 * 24)
    responses = len(pieces(agent.rollout_buffer.episode_starts))
    assert 3 <= sum(read) <= responses < 6 * 24 / 2  # fewer where responses begin alike
    assert len(read) == 3  # 144 steps in minibatches of about 48


def test_samples_of_a_prompt_are_read_once_and_learned_from_together() -> None:
    """Rollouts, log-probabilities and weights as without any cache; what is read falls."""
    agents = []
    for samples, keeps in ((4, True), (4, False), (1, True)):
        env = VecEnv(native("echo", 8, max_episode_steps=9), samples_per_prompt=samples)
        agents.append(make_agent(env, n_steps=24, batch_size=96, policy_kwargs={"keeps_cache": keeps}))
        agents[-1].learn(8 * 24)
    shared, plain, _ = (agent.rollout_buffer for agent in agents)
    np.testing.assert_array_equal(shared.actions, plain.actions)
    for name in ("log_probs", "values"):
        np.testing.assert_allclose(getattr(shared, name), getattr(plain, name), atol=1e-5)
    for a, b in zip(*(agent.policy.parameters() for agent in agents[:2]), strict=True):
        assert float((a - b).detach().abs().mean()) < 2e-5
    prompts = [{o.tobytes() for o in shared.observations[steps]} for steps in shared._pieces]
    assert not any(a & b for i, a in enumerate(prompts) for b in prompts[:i])
    assert len(prompts) < len(agents[2].rollout_buffer._pieces) / 2
    assert agents[0].policy.reader.tokens_read < 0.8 * agents[2].policy.reader.tokens_read


def test_the_gradient_of_shared_responses_is_that_of_each_alone() -> None:
    agent = make_agent(VecEnv(native("echo", 8), samples_per_prompt=4))
    agent.learn(8 * 24)
    policy, buffer = agent.policy, agent.rollout_buffer
    gradients, outputs = [], []
    for batches in ([np.arange(8 * 24)], [np.array([i]) for i in range(8 * 24)]):
        policy.optimizer.zero_grad()
        found = []
        for steps in batches:
            data = buffer._get_samples(steps)
            values, logprobs, entropy = policy.evaluate_actions(data.observations, data.actions)
            advantages = data.advantages.flatten()
            (-(advantages * logprobs).sum() + values.sum() - 0.1 * entropy.sum()).backward()
            found.append(torch.stack([values.detach().flatten(), logprobs.detach(), entropy.detach()]))
        outputs.append(torch.cat(found, dim=1))
        gradients.append(torch.cat([p.grad.flatten() for p in policy.parameters()]))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-5


def test_pieces_and_minibatches_by_hand() -> None:
    starts = np.array([[1, 0], [0, 0], [0, 1], [1, 0]])  # (T, n): 4 steps of 2 rows
    found = [piece.tolist() for piece in pieces(starts)]
    assert found == [[0, 1, 2], [3], [4, 5], [6, 7]]
    assert [m.tolist() for m in minibatches(pieces(starts), 4)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [m.tolist() for m in minibatches(pieces(starts), 99)] == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert [m.tolist() for m in minibatches(pieces(starts), 1)] == [[0, 1, 2], [3], [4, 5], [6, 7]]


def test_control_tokens_are_never_sampled_and_logprobs_are_of_what_was_sampled() -> None:
    agent = make_agent(VecEnv(native("count", 6)), n_epochs=1)
    agent.learn(6 * 24)
    actions = agent.rollout_buffer.actions.astype(int)
    assert not TOKENIZER.control_mask[actions].any()
    fresh = make_agent(VecEnv(native("count", 6)))
    obs = torch.as_tensor(fresh.env.reset())
    with torch.no_grad():
        _, values, logprobs = fresh.policy(obs)
        logits = fresh.policy.model(obs[:1, : int((obs[0] >= 0).sum())]).logits[0, -1, :V]
    logits[torch.from_numpy(TOKENIZER.control_mask)] = -torch.inf
    expected = torch.log_softmax(logits, dim=0)
    found = fresh.policy.get_distribution(obs).distribution.probs[0].detach()
    np.testing.assert_allclose(found, expected.exp(), atol=1e-5)
    assert (values == 0).all()
    assert (logprobs < 0).all()


def test_saves_and_loads(tmp_path: Path) -> None:
    env = VecEnv(native("echo", 4))
    agent = make_agent(env)
    agent.learn(4 * 24)
    agent.save(tmp_path / "agent")
    loaded = PPO.load(tmp_path / "agent", env=env)
    env.seed(1)
    obs = env.reset()
    np.testing.assert_array_equal(agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0])
    with torch.no_grad():
        ours, theirs = (a.policy.evaluate_actions(torch.as_tensor(obs), torch.zeros(4)) for a in (agent, loaded))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def lower_case(transcript: Any) -> float:
    """The share of small letters in a response."""
    return sum("a" <= c <= "z" for c in transcript.response) / max(1, len(transcript.response))


def test_it_learns() -> None:
    """A random model, paid for small letters, writes them."""
    reward = Counted(lower_case)
    agent = make_agent(VecEnv(native("echo", 16, reward)), n_steps=18, batch_size=144, n_epochs=2, learning_rate=3e-3)
    agent.learn(16 * 18 * 16)
    shares = [lower_case(t) for t in reward.transcripts]
    assert np.mean(shares[:100]) < 0.4
    assert np.mean(shares[-100:]) > 0.8


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature"):
        make_agent(VecEnv(native("echo", 2)), policy_kwargs={"temperature": 0.0})
    with pytest.raises(ValueError, match="token ids"):
        PPO(LanguageModelPolicy, "CartPole-v1", device="cpu")
    with pytest.raises(ValueError, match="action"):
        PPO(LanguageModelPolicy, "Pendulum-v1", device="cpu")
    with pytest.raises(ValueError, match="tokenizer"):
        make_agent(VecEnv(native("echo", 2)), policy_kwargs={"model": "embedded", "tokenizer": None})


def test_kl_control_of_a_vector_env_is_that_of_singles() -> None:
    from textgym.wrappers import ReferenceLogprob

    n, rng, model = 3, np.random.default_rng(1), tiny_policy()
    ours = VecEnv(VectorReferenceLogprob(native("count", n, max_episode_steps=10), beta=0.3, model=model))
    theirs = DummyVecEnv([lambda: ReferenceLogprob(single("count", 10), beta=0.3, model=model)] * n)
    ours.seed(0), theirs.seed(0)
    same(ours.reset(), theirs.reset())
    for _ in range(60):
        actions = random_tokens(rng, n)
        found, expected = ours.step(actions), theirs.step(actions)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], atol=1e-5)
        assert (found[1] != 0).all()
