"""The README's whole path at its real size, and the doors it goes through: train, predict, make, generate."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from test_reward_train import toy_preferences
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

import textgym  # noqa: F401
from textgym.feedback.preferences import read_preferences, write_preferences
from textgym.messages import as_messages
from textgym.models import Policy, load_policy
from textgym.rewards import load_reward_model, train_reward_model
from textgym.rewards.combine import Ensemble
from textgym.rewards.learned import LearnedReward
from textgym.rewards.simple import ConstantReward
from textgym.types import Message, Transcript

ROOT = Path(__file__).parent.parent
JUDGED = ROOT / "examples" / "short_answers.jsonl"


@pytest.mark.ci
def test_the_readme_s_lines_run_and_the_reward_rises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^## The whole path$.*?```python\n(.*?)```", readme, flags=re.M | re.S)[:1]
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    rows = [json.loads(line) for line in (Path(str(names["run"])) / "metrics.jsonl").read_text().splitlines()]
    scores = [row["score"] for row in rows if "score" in row]
    assert len(scores) == 10
    assert np.mean(scores[-3:]) > np.mean(scores[:2]) + 0.5
    printed = capsys.readouterr().out.splitlines()
    assert len([line for line in printed if re.fullmatch(r"    reward -?\d\.\d\d, gold \d\.\d\d", line)]) == 2


def test_the_example_s_judgements_say_that_they_are_simulated() -> None:
    found = read_preferences(JUDGED)
    assert len(found) == 300
    assert all(p.simulated and p.chosen_is_left is not None for p in found)
    shorter = np.mean([len(p.chosen[0].content) < len(p.rejected[0].content) for p in found])
    assert 0.6 < shorter < 0.8  # the taste that is to be learned


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny_policy().save_pretrained(folder)
    save_tiny_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judged") / "judged.jsonl"
    write_preferences(path, toy_preferences(80))
    return path


@pytest.fixture(scope="module")
def ensemble(base: Path, judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rewards") / "ensemble"
    made = train_reward_model(judged, folder, model=base, members=2, epochs=0.5, batch_size=16)
    assert isinstance(made, Ensemble)
    assert made.figures["members"] == 2
    return folder


def test_from_a_file_to_predictions(base: Path, judged: Path, tmp_path: Path) -> None:
    made = train_reward_model(judged, tmp_path / "reward", model=base, epochs=0.5, batch_size=16)
    assert isinstance(made, LearnedReward)
    assert 0 <= made.figures["accuracy"] <= 1
    again = load_reward_model(tmp_path / "reward")
    told = again.predict("p", ["a", "b b"])
    assert told == pytest.approx(made.predict("p", ["a", "b b"]), abs=1e-5)
    for options, message in (
        ({"epoch": 1}, "no option 'epoch'; did you mean 'epochs'"),
        ({"config": made, "epochs": 1}, "a config or options"),
    ):
        with pytest.raises(TypeError, match=message):
            train_reward_model(judged, tmp_path / "other", model=base, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="feedback must be one file or more"):
        train_reward_model([], tmp_path / "other")
    with pytest.raises(ValueError, match=r"embedded:translate.*got 'embedded:poetry'"):
        train_reward_model(judged, tmp_path / "other", model="embedded:poetry")


def test_predict_is_score_in_every_form_that_a_prompt_has(base: Path, judged: Path, ensemble: Path) -> None:
    model = load_reward_model(ensemble)
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}]
    tuples = [Message("system", "s"), Message("user", "p")]
    transcript = Transcript((*tuples, Message("assistant", "a")), num_prompt_messages=2)
    [expected] = model.score([transcript]).values
    one = model.predict(messages, "a")
    assert isinstance(one, float)
    assert one == model.predict(tuples, "a") == pytest.approx(float(expected))
    assert model.predict("p", "a") == model.predict([{"role": "user", "content": "p"}], "a")
    several = model.predict([messages, "p"], ["a", "a"])
    assert several == pytest.approx([one, model.predict("p", "a")], abs=1e-5)
    assert model.predict(messages, ["a", "a"]).shape == (2,)
    for prompt, response, error, message in (
        (3, "a", TypeError, "prompt must be a text, or messages.*got 3 of int"),
        (["p", "q"], "a", TypeError, "prompt must be"),
        (["p", "q"], ["a"], ValueError, "one prompt or 1, one a response, got 2"),
        ("p", 5, TypeError, "response must be a text or a list of texts, got 5 of int"),
        ("p", ["a", None], TypeError, "response must be a text"),
        ([{"role": "usr", "content": "p"}], "a", ValueError, "roles of .*got 'usr'"),
        ([{"role": "assistant", "content": "p"}], "a", ValueError, "must end with a message that is not"),
    ):
        with pytest.raises(error, match=message):
            model.predict(prompt, response)


def test_make_reads_the_folder_of_an_ensemble(ensemble: Path) -> None:
    """A folder, a dict with another combination, and the members by hand are the same reward; the spec is JSON."""
    given = {"action": "response", "split": "test"}
    said = "It was held in the town."

    def reward_of(spec: object) -> float:
        env = gym.make("textgym/Summarize-v0", reward=spec, **given)
        env.reset(options={"index": 1})
        again = gym.make(gym.spec("textgym/Summarize-v0").from_json(env.spec.to_json()))  # type: ignore[union-attr]
        again.reset(options={"index": 1})
        reward = float(env.step(said)[1])
        assert float(again.step(said)[1]) == reward
        return reward

    members = [str(ensemble / f"member_{k}") for k in range(2)]
    each = [reward_of(member) for member in members]
    assert each[0] != each[1]
    assert reward_of(str(ensemble)) == pytest.approx(np.mean(each), abs=1e-5)
    assert reward_of({"type": "ensemble", "path": str(ensemble)}) == pytest.approx(np.mean(each), abs=1e-5)
    assert reward_of({"type": "ensemble", "path": str(ensemble), "combine": "min"}) == pytest.approx(
        min(each), abs=1e-5
    )
    doubting = {"type": "ensemble", "path": str(ensemble), "combine": "mean-std", "k": 2}
    assert reward_of(doubting) == pytest.approx(np.mean(each) - 2 * np.std(each), abs=1e-5)
    for spec, message in (
        ({"type": "ensemble"}, "either models or a path"),
        ({"type": "ensemble", "path": str(ensemble), "models": members}, "either models or a path"),
        ({"type": "ensemble", "path": members[0]}, "a folder with a file ensemble.json"),
        ({"type": "ensemble", "path": str(ensemble), "combine": "max"}, "combine"),
    ):
        with pytest.raises(ValueError, match=message):
            gym.make("textgym/Summarize-v0", reward=spec)


def test_a_policy_says_what_its_own_loop_says_alone_or_in_a_batch() -> None:
    from textgym.models.generate import generate

    model, tokenizer = tiny_policy(), tiny_tokenizer()
    policy = Policy(model, tokenizer)
    prompts = ["a b", [{"role": "user", "content": "c"}], "d e f"]
    greedy = policy.generate(prompts, max_new_tokens=6)
    ids = [tokenizer.prompt_ids(as_messages(p)) for p in prompts]
    said = generate(
        model, ids, max_new_tokens=6, end_of_turn=tokenizer.end_of_turn, forbidden=policy._forbidden, temperature=0.0
    )
    assert greedy == [tokenizer.decode(tokens) for tokens in said.tokens]
    assert policy.generate(prompts[0], max_new_tokens=6) == greedy[0]
    drawn = policy.generate("a b", samples=5, temperature=1.0, max_new_tokens=6, seed=3)
    state = torch.random.get_rng_state()
    assert policy.generate("a b", samples=5, temperature=1.0, max_new_tokens=6, seed=3) == drawn
    assert torch.equal(torch.random.get_rng_state(), state)  # no global draws
    assert policy.generate("a b", samples=5, temperature=1.0, max_new_tokens=6, seed=4) != drawn
    for given, message in (
        ({"samples": 0}, "samples"),
        ({"temperature": -1.0}, "temperature"),
        ({"max_new_tokens": 10**6}, "must fit the policy's"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(ValueError, match=message):
            policy.generate("a b", **given)


def test_a_run_s_folder_is_its_policy(base: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "policy").symlink_to(base)
    assert load_policy(tmp_path / "run").generate("a", max_new_tokens=4) == load_policy(base).generate(
        "a", max_new_tokens=4
    )
    with pytest.raises(ValueError, match="is a path where no folder is"):
        load_policy(tmp_path / "nothing")


def test_a_constant_has_no_predict_but_a_sum_has() -> None:
    from textgym.rewards.combine import WeightedSum

    assert WeightedSum({"x": (ConstantReward(2.0), 1.5)}).predict("p", ["a", "b"]).tolist() == [3.0, 3.0]
    assert not hasattr(ConstantReward(1.0), "predict")
