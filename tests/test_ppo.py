"""Laws of token-level PPO, on tiny random models and a reader's own records.

What the arithmetic must keep (ratios start at 1, KL at 0, credit on the policy's tokens alone),
that it learns, and that a run survives Ctrl-C, errors, a kill and bad input, and no other run is
written over. Real text and a real model
are used where TEXTGYM_TEST_DATA names a folder that has them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tiny import save_tiny_tokenizer, tiny_policy, tiny_reward, tiny_tokenizer
from transformers import LogitsProcessorList

from textgym.agents import evaluate, folders, ppo, report, runs, stage
from textgym.agents.ppo import PPOConfig, Trainer
from textgym.cli import main
from textgym.models.tokenizer import load_tokenizer
from textgym.types import Message, Transcript

EOT = tiny_tokenizer().end_of_turn
USER_TURNS = ("And the next one?", "Once more, please.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random policy, reward models of both kinds, and own records for one turn and for several."""
    folder = tmp_path_factory.mktemp("ppo")
    tiny_policy().save_pretrained(folder / "policy")
    save_tiny_tokenizer(folder / "policy")
    for kind in ("token", "sequence"):
        tiny_reward(folder / kind, kind, initializer_range=0.3)
    news = [{"document": f"The mayor opened bridge {k} on Monday.", "summary": f"Bridge {k}."} for k in range(12)]
    chats = [
        {"messages": [message for turn in (f"Number {k}?", *USER_TURNS) for message in _exchange(turn, k)]}
        for k in range(12)
    ]
    for name, rows in (("news", news), ("chats", chats)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _exchange(said: str, k: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": said}, {"role": "assistant", "content": f"It is {k}."}]


@pytest.fixture
def config(folder: Path) -> PPOConfig:
    """One turn: a news item, a metric as the reward."""
    return PPOConfig(
        policy=str(folder / "policy"),
        data=str(folder / "news.jsonl"),
        reward="chrf",
        context_length=96,
        max_new_tokens=8,
        num_updates=2,
        prompts_per_update=4,
        samples_per_prompt=3,
        critic_warmup=0,
        learning_rate=3e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=4,
        eval_every=0,
        checkpoint_every=0,
    )


@pytest.fixture
def chat(config: PPOConfig, folder: Path) -> PPOConfig:
    """Several turns, with a recorded user who speaks again after each."""
    data = json.dumps({"path": str(folder / "chats.jsonl"), "user": "replay"})
    return replace(config, env="textgym/Dialogue-v0", data=data, context_length=192)


def make_trainer(config: PPOConfig, ends_often: bool = True) -> Trainer:
    """A trainer whose value head is not zero. With `ends_often` the policy says 40 tokens only, end-of-turn among
    them, so that turns of all lengths occur."""
    trainer = Trainer(config)
    torch.nn.init.normal_(trainer.policy.value_head.weight, generator=torch.Generator().manual_seed(1))
    if ends_often:
        trainer.stage.forbidden[:] = True
        trainer.stage.forbidden[[EOT, *range(60, 99)]] = False
        with torch.no_grad():
            trainer.policy.model.get_output_embeddings().weight[EOT] *= 4
            trainer.stage.reference.load_state_dict(trainer.policy.model.state_dict())
    return trainer


def with_reward(config: PPOConfig, reward: Any) -> PPOConfig:
    """A Python object as the reward: what a config on a command line cannot say, and Python can."""
    return replace(config, reward=reward)


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.policy.state_dict().items()}


# -- the arithmetic ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dense_reward", [True, False])
@pytest.mark.parametrize("kind", ["token", "sequence"])
@pytest.mark.parametrize("world", ["config", "chat"])
def test_one_update_end_to_end(
    world: str, kind: str, dense_reward: bool, folder: Path, request: pytest.FixtureRequest
) -> None:
    config = request.getfixturevalue(world)
    trainer = make_trainer(replace(config, reward=str(folder / kind), dense_reward=dense_reward))
    before = weights(trainer)
    metrics = trainer.step()
    assert all(np.isfinite(v) for name, v in metrics.items() if not name.startswith("gold"))
    assert np.isnan(metrics["gold"])  # nobody knows the meaning of these records
    assert all(not torch.equal(before[name], value) for name, value in trainer.policy.state_dict().items())
    assert all(not p.requires_grad for p in trainer.stage.reference.parameters())


@pytest.mark.parametrize("world", ["config", "chat"])
def test_the_first_minibatch_has_ratio_one_and_zero_kl(world: str, request: pytest.FixtureRequest) -> None:
    trainer = make_trainer(request.getfixturevalue(world))
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    with torch.no_grad():
        for packs, members in zip(batch.packs, batch.members, strict=True):
            for packed, rows_of in zip(packs, members, strict=True):
                where = (rows_of[packed.episode], packed.step)
                ratio = torch.exp(trainer.policy(packed).logprobs - batch.logprobs[where])
                assert (ratio - 1).abs().max() < 1e-5
    sampled = torch.tensor([x for row in rollout.logprobs for x in row])  # what the sampling loop said
    torch.testing.assert_close(batch.logprobs[batch.mask], sampled, rtol=0, atol=1e-4)
    assert torch.equal(batch.logprobs, batch.ref_logprobs)
    trainer.update(batch)
    again = trainer.prepare(rollout)
    assert torch.equal(again.ref_logprobs, batch.ref_logprobs)
    assert not torch.equal(again.logprobs, batch.logprobs)


@pytest.mark.parametrize("kind", ["token", "sequence"])
@pytest.mark.parametrize("world", ["config", "chat"])
def test_the_score_is_paid_in_full_and_final_only_on_the_last_chosen_token(
    world: str, kind: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    config = replace(request.getfixturevalue(world), reward=str(folder / kind))
    trainer = make_trainer(config)
    rollout = trainer.collect()
    mask = trainer.prepare(rollout).mask
    scores = torch.from_numpy(rollout.scores)
    assert len(set(rollout.scores.tolist())) > 1
    dense = trainer.rewards(rollout, mask)
    scores = scores / float(rollout.scores.std())
    torch.testing.assert_close(dense.sum(1), scores, rtol=1e-5, atol=1e-5)
    assert bool((dense[~mask] == 0).all())
    trainer.config = replace(config, dense_reward=False)
    final = trainer.rewards(rollout, mask)
    one_hot = torch.nn.functional.one_hot(mask.sum(1) - 1, mask.shape[1])
    torch.testing.assert_close(final, one_hot * scores[:, None])
    assert torch.equal(dense, final) == (kind == "sequence")


def test_the_unit_of_a_reward_does_not_matter(config: PPOConfig) -> None:
    """A metric that differs by hundredths trains as the same metric in percent does; unless it is taken as it comes."""

    def trained(factor: float, scale_reward: bool) -> dict[str, torch.Tensor]:
        given = with_reward(
            replace(config, kl_coef=0.5, scale_reward=scale_reward, learning_rate=1e-2),
            lambda transcript: factor * len(transcript.response),
        )
        trainer = Trainer(given)
        for _ in range(3):
            trainer.step()
        return weights(trainer)

    for scale_reward in (True, False):
        small, large = trained(0.01, scale_reward), trained(1.0, scale_reward)
        is_close = all(torch.allclose(small[name], large[name], atol=1e-4) for name in small)
        assert is_close == scale_reward


def test_conversations_train_for_fewer_updates_unless_told_otherwise() -> None:
    assert [PPOConfig(env=f"textgym/{name}-v0").total_updates for name in ("Summarize", "Dialogue")] == [100, 60]
    assert PPOConfig(env="textgym/Dialogue-v0", num_updates=7).total_updates == 7


def test_a_constant_reward_has_no_scale(config: PPOConfig) -> None:
    trainer = Trainer(with_reward(config, lambda transcript: 0.5))
    assert trainer.step()["reward_scale"] == 1.0


def test_users_tokens_get_no_loss(chat: PPOConfig) -> None:
    trainer = make_trainer(chat)
    rollout = trainer.collect()
    batch = trainer.prepare(rollout)
    targets: dict[int, list[int]] = {}
    for packs, members in zip(batch.packs, batch.members, strict=True):
        for packed, rows_of in zip(packs, members, strict=True):
            for row, token in zip(rows_of[packed.episode].tolist(), packed.target.tolist(), strict=True):
                targets.setdefault(row, []).append(token)
    for row, episode in enumerate(rollout.episodes):
        said = [t for t, chosen in zip(episode.continuation, episode.chosen, strict=True) if chosen]
        others = [t for t, chosen in zip(episode.continuation, episode.chosen, strict=True) if not chosen]
        assert targets[row] == said
        assert len(rollout.logprobs[row]) == len(said)  # the env's mask and the sampling loop agree
        assert batch.mask[row].sum() == len(said)
        heard = [m["content"] for m in rollout.messages[row] if m["content"] in USER_TURNS]
        assert len(heard) == len(USER_TURNS)
        assert "".join(heard) == tiny_tokenizer().decode(others)


def test_a_missing_end_of_turn_costs_the_penalty_once(chat: PPOConfig, config: PPOConfig) -> None:
    for given in (config, chat):
        trainer = make_trainer(given)
        rollout = trainer.collect()
        mask = trainer.prepare(rollout).mask
        is_cut = torch.from_numpy(~rollout.last_turn_has_eot)
        assert 0 < is_cut.sum() < len(is_cut)
        assert is_cut.tolist() == [e.continuation[-1] != EOT for e in rollout.episodes]
        free = trainer.rewards(rollout, mask)
        trainer.config = replace(given, missing_eot_penalty=1.5)
        one_hot = torch.nn.functional.one_hot(mask.sum(1) - 1, mask.shape[1])
        torch.testing.assert_close(free - trainer.rewards(rollout, mask), 1.5 * one_hot * is_cut[:, None])


@pytest.mark.parametrize("world", ["config", "chat"])
def test_micro_batches_do_not_change_the_gradient(world: str, request: pytest.FixtureRequest) -> None:
    """Plain gradient descent with rate 1 moves the weights by the gradient itself."""
    config = replace(request.getfixturevalue(world), epochs=1, minibatches=2, learning_rate=1.0, max_grad_norm=1e9)
    moved = []
    num_packs = []
    for batch_tokens, row_tokens in ((1, 512), (1, 1), (10**6, 512)):
        trainer = make_trainer(replace(config, batch_tokens=batch_tokens, row_tokens=row_tokens))
        trainer.optimizer = torch.optim.SGD(trainer.policy.parameters(), lr=1.0)
        before = weights(trainer)
        batch = trainer.prepare(trainer.collect())
        trainer.update(batch)
        num_packs.append(sum(map(len, batch.packs)))
        moved.append({name: value - before[name] for name, value in trainer.policy.state_dict().items()})
    assert num_packs == [config.batch_size, config.batch_size, 2]
    for other in moved[1:]:
        for name, value in moved[0].items():
            torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-5)


def test_runs_with_neighbouring_seeds_share_no_episode(config: PPOConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[tuple[int, int]] = []

    def note(env: Any, model: Any, tokenizer: Any, index: Any, seeds: Sequence[int], **_: Any) -> None:
        rows = np.repeat(index, config.samples_per_prompt).tolist()
        played.extend(zip(rows, seeds, strict=True))

    monkeypatch.setattr(stage, "play", note)
    trainer = Trainer(config)
    for seed in range(3):
        trainer.stage.config = replace(config, seed=seed)
        for trainer.updates_done in range(5):
            trainer.collect()
    assert len(played) == 3 * 5 * config.batch_size
    assert len(set(played)) == len(played)
    assert len({seed for _, seed in played}) == len(played)


def test_an_update_in_bfloat16_moves_every_weight(config: PPOConfig) -> None:
    trainer = make_trainer(replace(config, dtype="bfloat16"))
    before = weights(trainer)
    metrics = trainer.step()
    assert all(np.isfinite(v) for name, v in metrics.items() if not name.startswith("gold"))
    after = trainer.policy.state_dict()
    assert all(value.dtype == torch.float32 and not torch.equal(before[n], value) for n, value in after.items())


def test_the_reward_model_is_told_the_device(
    config: PPOConfig, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    make_vec = gym.make_vec

    def note(*args: Any, device: str = "left out", **more: Any) -> Any:
        told.append(device)
        return make_vec(*args, **more)

    monkeypatch.setattr(gym, "make_vec", note)
    learned = replace(config, reward=str(folder / "token"))
    Trainer(learned).stage.evaluate()
    given = [
        "--data",
        str(config.data),
        "--reward",
        "chrf",
        "--prompts",
        "2",
        "--context-length",
        "96",
        "--device",
        "cpu",
    ]
    assert main(["evaluate", config.policy, *given]) == 0
    assert set(told) == {"cpu"}
    told.clear()
    asked: list[str] = []
    monkeypatch.setattr(runs, "choose_device", lambda name: asked.append(name) or torch.device("cpu"))
    assert main(["evaluate", config.policy, *given]) == 0
    assert set(asked) == {"cpu"}  # never what "auto" would find
    told.clear()
    monkeypatch.setattr(runs, "choose_device", lambda name: torch.device({"auto": "cuda:1"}[name]))
    stage.make_env(replace(learned, device="auto"), tiny_tokenizer(), "train", 2)
    assert told == ["cuda:1"]


# -- learning ---------------------------------------------------------------------------------------


def test_it_learns_to_say_a_letter(config: PPOConfig) -> None:
    """From a random policy, with one number at the end of an episode, for every seed."""

    def share(transcript: Transcript) -> float:
        return min(transcript.response.count("e"), 8) / 8

    learns = replace(config, num_updates=25, prompts_per_update=8, samples_per_prompt=8, learning_rate=1e-2)
    for seed in range(3):
        trainer = Trainer(replace(with_reward(learns, share), seed=seed, kl_coef=0.01))
        scores = [trainer.step()["score"] for _ in range(learns.num_updates)]
        first, last = np.mean(scores[:2]), np.mean(scores[-3:])
        assert first < 0.2
        assert last > first + 0.3, scores


# -- a run and its folder ---------------------------------------------------------------------------


def arguments(config: PPOConfig, run: Path, **more: Any) -> list[str]:
    """The command line that says this config."""
    names = ("policy", "data", "reward", "context_length", "max_new_tokens", "num_updates", "prompts_per_update")
    names += ("samples_per_prompt", "critic_warmup", "learning_rate", "device", "dtype", "eval_prompts", "eval_every")
    given = {name: getattr(config, name) for name in names} | {"run": run, "checkpoint_every": 2} | more
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Every line, as strict JSON, which knows no NaN."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]


def read_checkpoint(run: Path) -> dict[str, Any]:
    (found,) = (run / "checkpoints").glob("update-*/state.pt")
    return torch.load(found, weights_only=True)


def during_update(n: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets something happen in the middle of the nth update."""
    prepare = Trainer.prepare

    def disturbed(self: Trainer, rollout: Any) -> Any:
        if self.updates_done == n - 1:
            act()
        return prepare(self, rollout)

    monkeypatch.setattr(Trainer, "prepare", disturbed)


def fail(error: Exception) -> None:
    raise error


def fail_at_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reward goes away between the second update and its evaluation."""
    evaluate = runs.Run.evaluate_if_due

    def disturbed(self: runs.Run, trainer: Any) -> Any:
        return fail(OSError("no reward")) if trainer.updates_done == 2 else evaluate(self, trainer)

    monkeypatch.setattr(runs.Run, "evaluate_if_due", disturbed)


BREAKS: dict[str, tuple[int, str, int, Callable[[pytest.MonkeyPatch], None]]] = {
    # what happens: (update that is saved, what is said of it, exit code, how)
    "Ctrl-C": (3, "interrupted", 130, lambda m: during_update(3, lambda: signal.raise_signal(signal.SIGINT), m)),
    "error": (2, "stopped by an error", 1, lambda m: during_update(3, lambda: fail(OSError("no reward")), m)),
    "error in evaluation": (2, "stopped by an error", 1, fail_at_evaluation),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_run_resumes_and_ends_where_an_unbroken_one_ends(
    what: str,
    config: PPOConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    saved_update, why, exit_code, break_it = BREAKS[what]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    asked = {"num_updates": 4, "eval_every": 2, "checkpoint_every": 0}
    assert main(["train", "ppo", *arguments(config, whole, **asked)]) == 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with monkeypatch.context() as patched:
        break_it(patched)
        assert main(["train", "ppo", *arguments(config, broken, **asked)]) == exit_code
    said = capsys.readouterr()
    assert f"{why} after update {saved_update}; saved in {broken}" in said.out
    assert "--resume" in said.out
    assert ("interrupted" if exit_code == 130 else "OSError: no reward") in said.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert read_checkpoint(broken)["updates_done"] == saved_update
    assert (broken / "policy" / "model.safetensors").exists()
    with open(broken / "metrics.jsonl", "a") as file:
        file.write('{"update": 4, "sco')  # a kill in the middle of a line
    assert main(["train", "ppo", *arguments(config, broken, **asked), "--resume"]) == 0
    a, b = read_checkpoint(whole), read_checkpoint(broken)
    assert a["updates_done"] == b["updates_done"] == 4
    for name, value in a["policy"].items():
        assert torch.equal(value, b["policy"][name]), name
    assert [r["update"] for r in read_metrics(broken)] == [0, 1, 2, 2, 3, 4, 4]
    for one, other in zip(read_metrics(whole), read_metrics(broken), strict=True):
        assert {k: v for k, v in one.items() if not k.endswith("_s") and v == v} == {
            k: v for k, v in other.items() if not k.endswith("_s") and v == v
        }
    assert (whole / "samples.md").read_text() == (broken / "samples.md").read_text()

    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(whole / "policy")
    for name, value in model.state_dict().items():
        assert torch.equal(value, a["policy"][f"model.{name}"])
    saved = AutoTokenizer.from_pretrained(whole / "policy")
    assert saved("The mayor").input_ids == tiny_tokenizer().encode("The mayor")
    assert saved.chat_template == tiny_tokenizer().hf.chat_template


def test_half_an_update_is_not_saved(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = Trainer.update

    def disturbed(self: Trainer, batch: Any) -> dict[str, float]:
        losses = update(self, batch)
        return losses if self.updates_done < 2 else fail(FloatingPointError("not finite"))  # type: ignore[return-value]

    monkeypatch.setattr(Trainer, "update", disturbed)
    with pytest.raises(FloatingPointError):
        ppo.train(replace(config, num_updates=4, checkpoint_every=1, run=str(tmp_path / "run")))
    assert "update 3 broke off halfway" in capsys.readouterr().out
    assert read_checkpoint(tmp_path / "run")["updates_done"] == 2


def test_make_hands_resume_on_as_the_message_says() -> None:
    assert "ARGS=--resume" in runs.GO_ON
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    (command,) = [line for line in makefile.splitlines() if "train ppo" in line]
    assert command.endswith("$(ARGS)")


KILLED: dict[str, dict[str, Any]] = {
    "plain": {},
    "all options": {"critic": "separate", "lora_rank": 2, "kl_target": 0.5, "minibatches": 1},
}


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_run_resumes_with_the_same_bits(name: str, config: PPOConfig, tmp_path: Path) -> None:
    """kill -9 somewhere in 40 updates, and the rest: weights, optimiser, KL coefficient, figures of an unbroken run."""
    if "lora_rank" in KILLED[name]:
        pytest.importorskip("peft")
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    more = {**KILLED[name], "num_updates": 40, "checkpoint_every": 1}
    command = [sys.executable, "-m", "textgym.cli", "train", "ppo", *arguments(config, broken, **more)]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            deadline = time.monotonic() + 300
            while not any((broken / "checkpoints").glob("update-00000[5-9]")):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.005)
        finally:
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are made in the order of threads
    try:
        assert main(["train", "ppo", *arguments(config, broken, **more), "--resume"]) == 0
        assert main(["train", "ppo", *arguments(config, whole, **more)]) == 0
    finally:
        torch.set_num_threads(threads)
    a, b = read_checkpoint(whole), read_checkpoint(broken)
    b["fast_products"] = a["fast_products"]  # what is faster is measured, once a run
    assert_same(a, b)
    timed = ("rollout_s", "update_s")
    kept = [[{k: v for k, v in row.items() if k not in timed} for row in read_metrics(run)] for run in (whole, broken)]
    assert kept[0] == kept[1]


def assert_same(a: Any, b: Any) -> None:
    """Equal to the last bit, through dicts and lists."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def test_a_run_ends_turns_with_its_token_and_is_evaluated_as_it_was_trained(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chat template says <|end|>; the run says <|user|>, and what it saves says so too."""
    given = replace(config, end_of_turn="<|user|>", num_updates=1, run=str(tmp_path / "run"))
    run = ppo.train(given)
    assert [row["gold"] for row in read_metrics(run) if "evaluation" not in row] == [None]  # unknown, and valid JSON

    from transformers import AutoModelForCausalLM

    token = tiny_tokenizer().hf.convert_tokens_to_ids("<|user|>")
    assert token != EOT
    tokenizer = load_tokenizer(str(run / "policy"))
    assert tokenizer.end_of_turn == token
    assert load_tokenizer({"path": str(run / "policy"), "end_of_turn": "<|end|>"}).end_of_turn == EOT
    assert tokenizer.prompt_ids([Message("user", "x")]) == tiny_tokenizer().prompt_ids([Message("user", "x")])
    model = AutoModelForCausalLM.from_pretrained(run / "policy")
    assert model.config.eos_token_id == model.generation_config.eos_token_id == token

    def says_one_letter_and_ends(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        wanted = 70 if ids.shape[1] == 3 else token
        return torch.full_like(scores, -torch.inf).index_fill_(1, torch.tensor([wanted]), 0.0)

    said = model.generate(
        torch.tensor([[60, 61, 62]]), max_new_tokens=9, logits_processor=LogitsProcessorList([says_one_letter_and_ends])
    )
    assert said[0, 3:].tolist() == [70, token]

    capsys.readouterr()
    assert main(["evaluate", str(run), "--prompts", "3", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out.splitlines()[-1])["settings"]
    assert settings["policy"] == str(run / "policy")
    for name in ("env", "data", "reward", "context_length", "max_new_tokens", "end_of_turn"):
        assert settings[name] == getattr(given, name), name
    other = ["--env", "textgym/Translate-v0", "--prompts", "2", "--reward", "constant:1", "--json"]
    assert main(["evaluate", str(run), *other]) == 0  # another env has its own data and sizes, not the run's
    settings = json.loads(capsys.readouterr().out.splitlines()[-1])["settings"]
    assert settings["data"] is None
    assert settings["context_length"] != given.context_length
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / "config.json").write_text((run / "config.json").read_text())
    assert main(["evaluate", str(tmp_path / "stopped")]) == 1
    assert "has saved no policy yet" in capsys.readouterr().err


def test_evaluate_prints_a_table_and_a_line_of_json(config: PPOConfig, capsys: pytest.CaptureFixture[str]) -> None:
    given = [config.policy, "--data", str(config.data), "--reward", "chrf", "--prompts", "9"]
    given += ["--context-length", "96", "--max-new-tokens", "8", "--device", "cpu", "--json"]
    lines = []
    for more in ([], [], ["--greedy"]):
        assert main(["evaluate", *given, *more]) == 0
        printed = capsys.readouterr().out
        assert "score" in printed
        lines.append(printed.splitlines()[-1])
    assert lines[0] == lines[1]
    found = json.loads(lines[0], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert set(found) == {"figures", "settings", "versions"}
    assert found["settings"]["policy"] == config.policy
    assert found["settings"]["env"] == "textgym/Summarize-v0"
    assert found["settings"]["prompts"] == 9
    assert [json.loads(line)["settings"]["temperature"] for line in lines] == [1.0, 1.0, 0.0]
    assert found["figures"]["gold"] is None
    assert 0 < found["figures"]["tokens"] <= 8
    assert found["figures"]["score_ci95"] >= 0
    assert "torch" in found["versions"]
    for wrong in (["--prompts", "0"], ["--temperature", "-1"], ["--temperature", "0.5", "--greedy"]):
        assert main(["evaluate", *given, *wrong]) == 1
        assert wrong[0].strip("-") in capsys.readouterr().err


# -- one folder a run ------------------------------------------------------------------------------


def no_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppo, "Trainer", lambda config, world: pytest.fail("loaded something"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_new_runs_take_new_folders_and_resume_the_newest(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = ppo.train(replace(config, num_updates=1))
    old = contents(first)
    assert first == Path("runs/Summarize-v0-seed0")
    assert ppo.train(replace(config, num_updates=1)) == Path("runs/Summarize-v0-seed0-2")
    assert ppo.train(replace(config, num_updates=2, resume=True)) == Path("runs/Summarize-v0-seed0-2")
    assert contents(first) == old
    assert folders.choose_folder(config) == Path("runs/Summarize-v0-seed0-3")
    assert folders.choose_folder(replace(config, seed=1)) == Path("runs/Summarize-v0-seed1")
    os.utime(first / "config.json")  # was begun or resumed last
    assert folders.choose_folder(replace(config, resume=True)) == first
    (tmp_path / "runs" / "Summarize-v0-seed0-old").mkdir()  # a copy that somebody keeps
    assert folders.choose_folder(replace(config, resume=True)) == first


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "checkpoints/update-000001/state.pt", "policy/x"])
def test_a_folder_that_holds_a_run_is_refused_before_anything_is_loaded(
    name: str, config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    no_trainer(monkeypatch)
    with pytest.raises(ValueError, match=r"run=.* holds a run already: resume it \(--resume\), name another folder"):
        ppo.train(replace(config, run=str(tmp_path / "run")))
    assert contents(tmp_path / "run") == {name: b"precious"}
    with pytest.raises(ValueError, match="run must be a folder, got the file"):
        ppo.train(replace(config, run=str(path)))


def test_resume_says_when_there_is_nothing_to_resume(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ppo.train(replace(config, num_updates=1, run=str(tmp_path / "run"), resume=True))
    assert f"nothing to resume in {run}: a new run begins" in capsys.readouterr().out
    assert ppo.train(replace(config, num_updates=2, run=str(run), resume=True)) == run
    assert "nothing to resume" not in capsys.readouterr().out
    (found,) = (run / "checkpoints").glob("*/state.pt")
    found.unlink()
    old = contents(run)
    no_trainer(monkeypatch)
    with pytest.raises(ValueError, match=r"no checkpoint in .* policy would be written over"):
        ppo.train(replace(config, run=str(run), resume=True))
    assert contents(run) == old


def test_what_can_be_checked_is_checked_before_anything_is_written(config: PPOConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = json.dumps({"path": config.data, "holdout": 1e-9})
    for changes, error, told in (
        ({"eval_split": "dev"}, ValueError, "eval_split must be one of .*'dev'"),
        ({"data": data}, ValueError, "split 'validation' of .* is empty"),
        ({"reward": {("a", "b"): 1}}, TypeError, "reward cannot be written to config.json"),
        ({"reward": lambda transcript: fail(OSError("no reward"))}, OSError, "no reward"),
    ):
        with pytest.raises(error, match=told):
            ppo.train(replace(config, run=str(run), **changes))
        assert not run.exists(), changes


def test_a_config_of_python_objects_is_written_by_name(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = replace(with_reward(config, length_reward), num_updates=1, seed=np.int64(3), run=tmp_path / "run")  # type: ignore[arg-type]
    run = ppo.train(given)
    written = json.loads((run / "config.json").read_text())["config"]
    assert written["reward"] == f"<Python: {__name__}.length_reward>"
    assert written["seed"] == 3
    assert written["run"] == str(run)
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 1
    assert "reward must be given" in capsys.readouterr().err


def length_reward(transcript: Transcript) -> float:
    return len(transcript.response) / 100


def test_a_run_is_resumed_with_its_own_config_only(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    begun = folders.describe(replace(config, run=str(run)))
    (run / "config.json").write_text(json.dumps({"config": begun}))
    no_trainer(monkeypatch)
    for field in fields(PPOConfig):
        other = begun | {field.name: "another"}
        if field.name in folders.MAY_DIFFER:
            folders.require_same(other, run)
            continue
        with pytest.raises(ValueError, match=rf"{field.name} was {begun[field.name]!r} and is 'another'"):
            folders.require_same(other, run)
    with pytest.raises(ValueError, match=r"learning_rate was 0\.003 and is 0\.1\. Give the old values"):
        ppo.train(replace(config, run=str(run), resume=True, learning_rate=0.1))
    assert {"env", "policy", "reward", "data", "seed", "prompts_per_update", "dtype"}.isdisjoint(folders.MAY_DIFFER)


# -- what a run shows -------------------------------------------------------------------------------


def test_the_curve_shows_the_metrics() -> None:
    rows: list[dict[str, Any]] = [
        {"update": k, **{n: k / 10 for n in ("score", "gold", "kl")}, **dict.fromkeys(SPREADS, 0.1)} for k in (1, 2, 3)
    ]
    figures = {"score": 0.4, "gold": 0.5, "score_ci95": 0.1, "gold_ci95": 0.2}
    rows.insert(0, {"update": 0, "evaluation": figures})
    figure = report.plot_curve(rows, "a title", "training prompts")
    assert [axis.get_title() for axis in figure.axes] == ["learned score", "gold score", "KL to the start (nats)"]
    for axis in figure.axes:
        line = next(line for line in axis.lines if line.get_label() == "training batch")
        np.testing.assert_allclose(line.get_xydata(), [(1, 0.1), (2, 0.2), (3, 0.3)])
    for axis, value in zip(figure.axes[:2], (0.4, 0.5), strict=True):
        (squares,) = axis.containers
        np.testing.assert_allclose(squares.lines[0].get_xydata(), [(0, value)])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "training prompts" in labels
    assert "held-out prompts" not in labels
    for row in rows[1:]:
        row["gold"] = float("nan")  # a task without a judge
    assert [axis.get_title() for axis in report.plot_curve(rows, "").axes] == [
        "learned score",
        "KL to the start (nats)",
    ]


SPREADS = ("score_spread", "gold_spread", "kl_spread")


def test_a_run_prints_its_progress_and_the_same_prompts_before_and_after(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(runs, "choose_dtype", lambda dtype, device: torch.bfloat16)
    for has_rich in (True, False):
        run = tmp_path / f"rich is {has_rich}"
        with monkeypatch.context() as patched:
            if not has_rich:
                for name in ("progress", "console", "table", "text"):
                    patched.setitem(sys.modules, f"rich.{name}", None)
            ppo.train(replace(config, dtype="auto", run=str(run)))
        printed = capsys.readouterr().out
        rows = read_metrics(run)
        last = next(row for row in rows if row["update"] == 2 and "evaluation" not in row)
        status = f"score {last['score']:+.2f}  KL {last['kl']:.1f}"  # and no gold: nobody knows it
        assert printed.count(f"{run}: on cpu, training passes in bfloat16") == 1
        assert json.loads((run / "config.json").read_text())["chosen"]["dtype"] == "bfloat16"
        if not has_rich:
            assert f"update 2/2 {status}" in printed
            assert "rich is not installed: no tables" in printed
            continue
        assert "2/2" in printed
        assert status in printed
        before, after = rows[0]["evaluation"], rows[-1]["evaluation"]
        (means,) = [line for line in printed.splitlines() if " score " in line and "±" in line]
        figures = [f"{e['score']:.3f} ± {e['score_ci95']:.3f}" for e in (before, after)]
        assert [cell.strip() for cell in means.strip("│ ").split("│")] == ["score", *figures]
        samples = (run / "samples.md").read_text()
        for k in range(3):
            assert f"The mayor opened bridge {k} on Monday." in printed
            assert f"The mayor opened bridge {k} on Monday." in samples


def test_prompts_are_called_held_out_only_where_they_are(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    legends = []
    monkeypatch.setattr(runs, "draw_curve", lambda rows, path, title, prompts: legends.append(prompts))
    divided = json.dumps({"path": config.data, "holdout": 0.7})
    for data, is_held_out in ((config.data, False), (divided, True)):
        run = tmp_path / f"held out {is_held_out}"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ppo.train(replace(config, data=data, num_updates=1, run=str(run)))
        told = [str(w.message) for w in caught if "training prompts" in str(w.message)]
        kind = "held-out prompts" if is_held_out else "training prompts"
        other = "training prompts" if is_held_out else "held-out"
        for text in (capsys.readouterr().out, (run / "samples.md").read_text()):
            assert kind in text
            assert other not in text
        assert legends.pop() == kind
        assert json.loads((run / "config.json").read_text())["chosen"]["evaluated_on"] == kind
        assert len(told) == (0 if is_held_out else 1)
        assert is_held_out or '"holdout": 0.1' in told[0]
        assert main(["evaluate", str(run), "--prompts", "2"]) == 0
        assert ("2 test prompts" if is_held_out else "2 training prompts") in capsys.readouterr().out


def test_splits_of_an_embedded_world_are_not_the_same(config: PPOConfig) -> None:
    embedded = replace(config, data=None, reward="gold", context_length=None, max_new_tokens=None)
    for env in ("Summarize", "Translate", "Dialogue"):
        a, b, c = (
            stage.make_env(replace(embedded, env=f"textgym/{env}-v0"), tiny_tokenizer(), split, 1).unwrapped.task
            for split in ("train", "train", "validation")
        )
        assert evaluate.are_same(a, b)
        assert not evaluate.are_same(a, c)


def test_cut_prompts_are_counted_and_told_once(config: PPOConfig, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = ppo.train(replace(config, context_length=24, run=str(tmp_path / "run")))
    counts = [row["prompts_cut"] for row in read_metrics(run) if "evaluation" not in row]
    assert counts == [4, 4]  # every prompt is longer than 24 - 8 tokens
    assert len([w for w in caught if "4 of 4 prompts of update 1 lost their ends" in str(w.message)]) == 1
    assert Trainer(config).step()["prompts_cut"] == 0


def test_evaluate_draws_no_bar_while_it_loads(config: PPOConfig, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    given = ["--data", str(config.data), "--reward", "chrf", "--prompts", "2", "--context-length", "96"]
    assert main(["evaluate", config.policy, *given, "--max-new-tokens", "8"]) == 0
    assert "Loading weights" not in capfd.readouterr().err
    assert logging.is_progress_bar_enabled()


# -- bad input --------------------------------------------------------------------------------------

WRONG = {
    **dict.fromkeys(("num_updates", "prompts_per_update", "samples_per_prompt", "epochs", "minibatches"), (0, -1)),
    **dict.fromkeys(("row_tokens", "batch_tokens", "eval_prompts", "kl_horizon"), (0,)),
    **dict.fromkeys(("learning_rate", "temperature", "max_grad_norm"), (0.0, -1.0, float("nan"), float("inf"))),
    **dict.fromkeys(("clip_ratio", "clip_value"), (0.0, float("nan"))),
    **dict.fromkeys(("kl_coef", "value_coef", "entropy_coef", "missing_eot_penalty"), (-0.1, float("nan"))),
    **dict.fromkeys(("seed", "critic_warmup", "eval_every", "checkpoint_every"), (-1,)),
    **dict.fromkeys(("gamma", "lam"), (-0.1, 1.1, float("nan"))),
    "kl_target": (0.0, -1.0),
    "device": ("gpu7", "cuda:99"),
    **dict.fromkeys(("split", "eval_split"), ("dev",)),
    "dtype": ("float16", "int"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_values_are_named(name: str, config: PPOConfig) -> None:
    config.check()
    for value in WRONG[name]:
        with pytest.raises(ValueError, match=rf"^{name} must be .*{value}"):
            replace(config, **{name: value}).check()


def test_more_minibatches_than_prompts_are_refused(config: PPOConfig) -> None:
    with pytest.raises(ValueError, match="minibatches must be at most prompts_per_update=4, got 5"):
        replace(config, minibatches=5).check()


def test_a_reward_that_is_not_a_number_stops_before_training_on_it(config: PPOConfig) -> None:
    calls = iter([0.5] * config.batch_size)
    trainer = Trainer(with_reward(config, lambda transcript: next(calls, float("nan"))))
    trainer.step()
    before = weights(trainer)
    with pytest.raises(ValueError, match="finite"):
        trainer.step()
    assert all(torch.equal(before[name], value) for name, value in trainer.policy.state_dict().items())
    assert trainer.updates_done == 1


def test_own_data_without_a_reward_lists_the_choices(
    config: PPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(config, tmp_path / "run")
    at = given.index("--reward")
    assert main(["train", "ppo", *given[:at], *given[at + 2 :]]) == 1
    told = capsys.readouterr().err
    assert "reward must be given" in told
    for choice in ("rougeL", "chrf", "a number", "http(s)://"):
        assert choice in told
    assert not (tmp_path / "run").exists()


def test_parts_that_do_not_fit_are_refused(config: PPOConfig, folder: Path) -> None:
    for changes, told, error in (
        ({"policy": str(folder / "nowhere")}, r"policy=.*nowhere", ValueError),
        ({"context_length": 1024}, "context_length must be at most the policy's 512", ValueError),
        ({"env": "textgym/Essay-v0"}, "Essay", gym.error.NameNotFound),
        ({"split": "dev"}, "split must be one of", ValueError),
        ({"reward": "rogueL"}, "did you mean 'rougeL'", ValueError),
        ({"end_of_turn": "<|nothing|>"}, "end_of_turn", ValueError),
    ):
        with pytest.raises(error, match=told):
            Trainer(replace(config, **changes))


# -- real text, a real model ------------------------------------------------------------------------

REAL = [
    ("Summarize", "summarization_scitldr.jsonl", {}, "rougeL"),
    ("Translate", "translation_mlqepe_ende.jsonl", {}, "chrf"),
    ("Dialogue", "dialogue_taskmaster4.jsonl", {}, "rougeL"),
    ("Dialogue", "dialogue_taskmaster4.jsonl", {"user": "replay"}, "rougeL"),
]


@pytest.mark.parametrize(("world", "file", "options", "reward"), REAL)
def test_real_text_and_a_real_model(
    world: str, file: str, options: dict[str, str], reward: str, tmp_path: Path
) -> None:
    place = os.environ.get("TEXTGYM_TEST_DATA")
    data, policy = Path(place or "") / "data" / file, Path(place or "") / "models" / "stories260K"
    if not place or not data.exists() or not policy.exists():
        pytest.skip(f"real data is absent: TEXTGYM_TEST_DATA={place!r} has no data/{file} or models/stories260K")
    config = PPOConfig(
        env=f"textgym/{world}-v0",
        policy=str(policy),
        end_of_turn="<s>",
        data=json.dumps({"path": str(data), **options}),
        reward=reward,
        context_length=384,
        max_new_tokens=24,
        num_updates=2,
        prompts_per_update=4,
        samples_per_prompt=4,
        critic_warmup=0,
        device="cpu",
        eval_every=0,
        eval_prompts=8,
        run=str(tmp_path / "run"),
    )
    run = ppo.train(config)
    rows = [r for r in read_metrics(run) if "evaluation" not in r]
    assert [r["update"] for r in rows] == [1, 2]
    assert rows[0]["kl"] == 0.0
    for row in rows:
        assert all(np.isfinite(v) for name, v in row.items() if not name.startswith("gold"))
        assert 0 <= row["score"] <= 1
        assert row["score_spread"] > 0

    from transformers import AutoModelForCausalLM

    trained = AutoModelForCausalLM.from_pretrained(run / "policy")
    start = AutoModelForCausalLM.from_pretrained(policy)
    assert any(not torch.equal(a, b) for a, b in zip(trained.parameters(), start.parameters(), strict=True))
