"""Laws of direct preference optimization, on tiny random models and pairs that a reader can check by hand.

The loss and its gradient against numbers worked out, the optimum it must have over a vocabulary that can be enumerated,
what must change nothing, what must get no loss; that a broken run goes on with the same bits; and bad input.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes import LETTERS, PROBES, all_responses, allow_only, write_probe
from tiny import save_tiny_tokenizer, tiny_policy, tiny_tokenizer

from textgym.agents import dpo
from textgym.agents.conversations import Pair
from textgym.agents.distributed import World
from textgym.agents.dpo import DPOConfig, JudgedData, Trainer, dpo_loss, ipo_loss
from textgym.agents.offline import draw_batch, weighted_mean
from textgym.agents.packing import Episode, pack, pack_groups
from textgym.agents.policy import reference_logprobs
from textgym.agents.updates import learning_rate
from textgym.cli import main
from textgym.feedback.preferences import Preference, write_preferences
from textgym.types import Message

EOT = tiny_tokenizer().end_of_turn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random policy, own records to evaluate on, and judged pairs of other prompts."""
    folder = tmp_path_factory.mktemp("dpo")
    tiny_policy().save_pretrained(folder / "policy")
    save_tiny_tokenizer(folder / "policy")
    news = [{"document": f"The mayor opened bridge {k} on Monday.", "summary": f"Bridge {k}."} for k in range(6)]
    (folder / "news.jsonl").write_text("".join(json.dumps(row) + "\n" for row in news))
    write_preferences(folder / "pairs.jsonl", some_preferences())
    return folder


def some_preferences(n: int = 12) -> list[Preference]:
    return [
        Preference(
            (Message("user", f"Tell me about bridge {k}."),),
            (Message("assistant", f"Bridge {k} is new."),),
            (Message("assistant", "I do not know." * (1 + k % 3)),),
            raters=("anna",),
        )
        for k in range(n)
    ]


@pytest.fixture
def config(folder: Path) -> DPOConfig:
    return DPOConfig(
        policy=str(folder / "policy"),
        data=str(folder / "news.jsonl"),
        reward="chrf",
        preferences=str(folder / "pairs.jsonl"),
        holdout=0.25,
        context_length=96,
        max_new_tokens=8,
        num_updates=2,
        batch_size=4,
        warmup_updates=0,
        learning_rate=3e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=4,
        eval_every=0,
        checkpoint_every=0,
    )


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.stage.model.state_dict().items()}


def gradient(config: DPOConfig, data: JudgedData | None = None) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """What one step of plain gradient descent with rate 1 takes off the weights, and its figures."""
    trainer = Trainer(replace(config, learning_rate=1.0, max_grad_norm=1e9), data=data)
    trainer.optimizer = torch.optim.SGD(trainer.trained, lr=1.0)
    before = weights(trainer)
    figures = trainer.step()
    return {name: before[name] - value for name, value in trainer.stage.model.state_dict().items()}, figures


def assert_close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], sign: float = 1.0) -> None:
    for name, value in a.items():
        torch.testing.assert_close(value, sign * b[name], rtol=1e-3, atol=2e-6)


# -- the loss ---------------------------------------------------------------------------------------


def test_the_losses_against_numbers_worked_out() -> None:
    """h = 2, β = 0.5: σ(1) = 0.731059; IPO's target is 1 / (2 · 0.5) = 1, so (2 - 1)² = 1."""
    h = torch.tensor([2.0, 0.0, -2.0], dtype=torch.float64, requires_grad=True)
    loss = dpo_loss(h, 0.5)
    np.testing.assert_allclose(loss.detach(), [0.313262, 0.693147, 1.313262], atol=1e-6)
    loss.sum().backward()
    assert h.grad is not None
    np.testing.assert_allclose(h.grad, [-0.5 * 0.268941, -0.25, -0.5 * 0.731059], atol=1e-6)  # -β σ(-β h)
    smooth = dpo_loss(h.detach(), 0.5, 0.1)  # 0.9 of the one and 0.1 of the other
    np.testing.assert_allclose(smooth, [0.413262, 0.693147, 1.213262], atol=1e-6)
    np.testing.assert_allclose(ipo_loss(h.detach(), 0.5), [1.0, 1.0, 9.0], atol=1e-12)


def test_at_the_start_the_loss_is_log_2_and_nothing_is_preferred(config: DPOConfig) -> None:
    trainer = Trainer(config)
    first = trainer.step()
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-7)
    for name in ("margin", "chosen_reward", "rejected_reward"):
        assert first[name] == 0.0, name
    assert first["accuracy"] == 0.5
    second = trainer.step()
    assert second["loss"] < first["loss"]
    assert Trainer(replace(config, loss_type="ipo", beta=0.5)).step()["loss"] == pytest.approx(1.0, abs=1e-6)


def swapped(data: JudgedData) -> JudgedData:
    return data._replace(training=[Pair(p.rejected, p.chosen, p.weight) for p in data.training])


@pytest.mark.parametrize("loss_type", ["sigmoid", "ipo"])
def test_swapping_the_sides_flips_the_first_gradient(loss_type: str, config: DPOConfig) -> None:
    given = replace(config, loss_type=loss_type)
    data = dpo.load(given)
    one, _ = gradient(given, data)
    other, _ = gradient(given, swapped(data))
    assert max(float(v.abs().max()) for v in one.values()) > 1e-3
    assert_close(one, other, sign=-1.0)


@pytest.mark.parametrize("changes", [{"batch_tokens": 1}, {"row_tokens": 1}, {"batch_tokens": 1, "row_tokens": 1}])
def test_padding_and_packing_change_nothing(changes: dict[str, int], config: DPOConfig) -> None:
    one, figures = gradient(replace(config, batch_tokens=10**6))
    other, same = gradient(replace(config, **changes))
    assert_close(one, other)
    for name in figures.keys() - {"update_s"}:
        assert same[name] == pytest.approx(figures[name], rel=1e-4, abs=1e-6), name


def test_a_pair_shares_its_prompt_in_one_row_and_is_never_divided(config: DPOConfig) -> None:
    pairs = dpo.load(config).training
    packs = list(pack_groups([p[:2] for p in pairs], 512, 200))
    assert sorted(row for _, rows in packs for row in rows) == list(range(len(pairs)))
    assert len(packs) > 1
    for packed, rows in packs:
        assert packed.tokens.shape[0] == len(rows)  # one row a pair
        assert packed.mask is not None
        assert len(packed.episode.unique()) == 2 * len(rows)


def test_the_gradient_is_that_of_the_two_log_probabilities(config: DPOConfig) -> None:
    """At the start ∂loss = -β/2 · (∂ log π(chosen) - ∂ log π(rejected)): autograd of the plain model says the same."""
    pair = dpo.load(config).training[0]
    found, _ = gradient(replace(config, batch_size=1, beta=0.5), JudgedData([pair], []))
    trainer = Trainer(config)
    model = trainer.stage.model
    sides = []
    for episode in pair[:2]:
        ids = torch.tensor([episode.tokens])
        logits = model(ids).logits[0, len(episode.prompt) - 1 : -1]
        logits = logits.masked_fill(trainer.stage.forbidden, -torch.inf)
        sides.append(logits.log_softmax(-1).gather(1, ids[0, len(episode.prompt) :, None]).sum())
    (-0.25 * (sides[0] - sides[1])).backward()
    wanted = {name: p.grad for name, p in model.named_parameters()}
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=2e-6)


# -- the optimum ------------------------------------------------------------------------------------

RESPONSES = all_responses(2)
REWARDS = torch.linspace(-1, 1, len(RESPONSES)).roll(5)


def all_pairs(prompt: Sequence[int], responses: list[list[int]], rewards: torch.Tensor) -> list[Pair]:
    """Both directions of every pair, weighted with the Bradley-Terry probability: the loss is the expected one."""
    episodes = [Episode(prompt, r, [True] * len(r)) for r in responses]
    return [
        Pair(episodes[i], episodes[j], float(torch.sigmoid(rewards[i] - rewards[j])))
        for i in range(len(episodes))
        for j in range(len(episodes))
        if i != j
    ]


def logprobs_of_all(trainer: Trainer, model: Any, prompt: Sequence[int]) -> torch.Tensor:
    packed = pack([Episode(prompt, r, [True] * len(r)) for r in RESPONSES], row_tokens=1)
    with torch.no_grad():
        said = reference_logprobs(model, packed, trainer.stage.forbidden, 1.0)
    return torch.zeros(len(RESPONSES)).index_add(0, packed.episode, said)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_it_converges_to_the_enumerated_optimum(beta: float, seed: int, config: DPOConfig) -> None:
    """π* ∝ π_ref exp(r / β), for known rewards and the expected loss over all pairs (Rafailov et al. 2023, eq. 4)."""
    prompt = tiny_tokenizer().prompt_ids([Message("user", "x")])
    pairs = all_pairs(prompt, RESPONSES, REWARDS)
    given = replace(
        config, beta=beta, batch_size=len(pairs), num_updates=150, learning_rate=5e-3, seed=seed, row_tokens=64
    )
    trainer = Trainer(given, data=JudgedData(pairs, []))
    allow_only(trainer.stage.forbidden)
    before = logprobs_of_all(trainer, trainer.stage.reference, prompt)
    assert float(before.exp().sum()) == pytest.approx(1, abs=1e-4)  # these are all responses there are
    best = (before + REWARDS / beta).log_softmax(0)
    assert float((before.exp() * (before - best)).sum()) > 0.05  # there is something to learn
    for _ in range(given.total_updates):
        figures = trainer.step()
    after = logprobs_of_all(trainer, trainer.stage.model, prompt)
    assert float((after.exp() * (after - best)).sum()) < 0.01
    least = -sum(p.weight * math.log(p.weight) for p in pairs) / sum(p.weight for p in pairs)
    assert figures["loss"] == pytest.approx(least, abs=0.01)  # the raters' own entropy


# -- what is learnt, and what is not ----------------------------------------------------------------


def conversation(k: int, first: str, second: str) -> tuple[Message, ...]:
    return (Message("assistant", first), Message("user", f"And bridge {k}?"), Message("assistant", second))


def test_prompts_and_users_get_no_loss(config: DPOConfig, tmp_path: Path) -> None:
    """Of a conversation the assistant's tokens are targets, in order, and nothing else is."""
    said = conversation(1, "It is new.", "It is old."), conversation(1, "No.", "Yes, it is.")
    preference = Preference((Message("system", "Be brief."), Message("user", "Hello?")), *said)
    write_preferences(tmp_path / "talk.jsonl", [preference])
    (pair,) = dpo.load(replace(config, preferences=str(tmp_path / "talk.jsonl"), holdout=0)).training
    for episode, messages in zip(pair[:2], said, strict=True):
        packed = pack([episode])
        wanted = [i for m in messages if m.role == "assistant" for i in (*tiny_tokenizer().encode(m.content), EOT)]
        assert packed.target.tolist() == wanted
        assert "And bridge 1?" in tiny_tokenizer().decode(episode.continuation)


def test_weights_are_shares_of_the_loss(config: DPOConfig) -> None:
    """Weight 3 is three copies, and both directions at half weight are a tie, whose first gradient is nothing."""
    a, b = dpo.load(config).training[:2]
    weighted, _ = gradient(replace(config, batch_size=2), JudgedData([a._replace(weight=3.0), b], []))
    copies, _ = gradient(replace(config, batch_size=4), JudgedData([a, a, a, b], []))
    assert_close(weighted, copies)
    tie = [Pair(a.chosen, a.rejected, 0.5), Pair(a.rejected, a.chosen, 0.5)]
    nothing, _ = gradient(replace(config, batch_size=2), JudgedData(tie, []))
    assert max(float(v.abs().max()) for v in nothing.values()) < 1e-6


def test_raters_are_believed_as_asked(config: DPOConfig, tmp_path: Path) -> None:
    """Two of three prefer the first response: three pairs, one of the majority, or two soft ones that sum to 1."""
    prompt, texts = [{"role": "user", "content": "Hello?"}], ["Hello.", "Go away."]
    judgements = [{"choice": c, "rater": r} for c, r in (("a", "anna"), ("a", "ben"), ("b", "carla"))]
    rows = [{"prompt": prompt, "responses": [{"text": t} for t in texts], "key": "k", "judgements": judgements}]
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = replace(config, preferences=str(tmp_path / "judged.jsonl"), holdout=0)
    first = tuple([*tiny_tokenizer().encode("Hello."), EOT])
    for raters, number in (("each", 3), ("majority", 1), ("soft", 2)):
        pairs = dpo.load(replace(given, raters=raters)).training
        assert len(pairs) == number, raters
        for_first = sum(p.weight for p in pairs if tuple(p.chosen.continuation) == first)
        for_second = sum(p.weight for p in pairs) - for_first
        assert for_first > for_second
        if raters == "soft":
            assert for_first + for_second == pytest.approx(1)


def test_held_out_prompts_are_never_learnt_from(config: DPOConfig) -> None:
    data = dpo.load(config)
    prompts = [{tuple(p.chosen.prompt) for p in part} for part in (data.training, data.held_out)]
    assert len(prompts[0]) == 9
    assert len(prompts[1]) == 3
    assert prompts[0].isdisjoint(prompts[1])
    trainer = Trainer(replace(config, num_updates=30))
    before = trainer.stage.evaluate(of_reference=True)
    assert before.means["held_out/accuracy"] == 0.5
    for _ in range(30):
        trainer.step()
    after = trainer.stage.evaluate()
    assert after.means["held_out/accuracy"] == 1.0  # the sides differ alike for all prompts
    assert after.means["held_out/margin"] > 0
    assert trainer.stage.evaluate(of_reference=True).means["held_out/loss"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", PROBES)
def test_dpo_solves_the_probes(name: str, tmp_path: Path) -> None:
    """From pairs labelled by the probe's own reward: every two answers of which one is paid more."""
    given = write_probe(PROBES[name], tmp_path)
    preferences = probe_preferences(name)
    write_preferences(tmp_path / "pairs.jsonl", preferences)
    config = DPOConfig(
        **given,
        preferences=str(tmp_path / "pairs.jsonl"),
        holdout=0,
        beta=0.1,
        num_updates=60,
        batch_size=32,
        learning_rate=5e-3,
        device="cpu",
        dtype="float32",
        eval_prompts=8,
    )
    trainer = Trainer(config)
    allow_only(trainer.stage.forbidden)
    for _ in range(config.total_updates):
        figures = trainer.step()
    assert figures["accuracy"] > 0.97
    greedy = trainer.stage.evaluate(temperature=0.0)
    assert score_of(trainer, greedy) > 0.97


def score_of(trainer: Trainer, found: Any) -> float:
    return float(found.means["score"])


def probe_preferences(name: str) -> list[Preference]:
    """Of each prompt, all pairs of short answers that the probe's reward tells apart."""
    from textgym.types import Transcript

    probe = PROBES[name]
    texts = ["", *LETTERS, *(x + y for x in LETTERS for y in LETTERS)]
    found = []
    for record in probe.records:
        if "messages" in record:
            turns = [m["content"] for m in record["messages"] if m["role"] == "user"]
            prompt = (Message("user", turns[0]),)
            said = [
                (Message("assistant", x), Message("user", turns[1]), Message("assistant", y))
                for x in LETTERS
                for y in LETTERS
            ]
        else:
            prompt = (Message("user", record["document"]),)
            said = [(Message("assistant", text),) for text in texts]
        paid = [probe.reward(Transcript((*prompt, *s), num_prompt_messages=len(prompt))) for s in said]
        found += [
            Preference(prompt, a, b)
            for a, r in zip(said, paid, strict=True)
            for b, q in zip(said, paid, strict=True)
            if r > q
        ]
    return found


# -- a run and its folder ---------------------------------------------------------------------------


def arguments(config: DPOConfig, run: Path, **more: Any) -> list[str]:
    """The command line that says this config."""
    names = ("policy", "data", "reward", "preferences", "holdout", "context_length", "max_new_tokens", "num_updates")
    names += ("batch_size", "learning_rate", "device", "dtype", "eval_prompts", "eval_every", "checkpoint_every")
    given = {name: getattr(config, name) for name in names} | {"run": run} | more
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def read_metrics(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]


def read_checkpoint(run: Path) -> dict[str, Any]:
    (found,) = (run / "checkpoints").glob("update-*/state.pt")
    return torch.load(found, weights_only=True)


def test_a_run_leaves_what_every_run_leaves(
    config: DPOConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", "dpo", *arguments(config, run, eval_every=1)]) == 0
    printed = capsys.readouterr().out
    assert "held_out/accuracy" in printed
    written = json.loads((run / "config.json").read_text())
    assert written["agent"] == "dpo"
    assert written["config"]["num_updates"] == 2
    assert written["chosen"]["evaluated_on"] == "held-out prompts"
    rows = read_metrics(run)
    assert [row["update"] for row in rows] == [0, 1, 1, 2, 2]
    for row in rows:
        figures = row.get("evaluation", row)
        assert {"held_out/loss", "held_out/accuracy", "score"} <= figures.keys() or "margin" in figures
    for name in ("curve.png", "samples.md", "policy/model.safetensors", "samples/update-000002.md"):
        assert (run / name).exists(), name
    assert main(["evaluate", str(run), "--prompts", "2"]) == 0
    with pytest.raises(ValueError, match="holds a run already"):
        dpo.train(replace(config, run=str(run)))


def test_epochs_count_the_updates(config: DPOConfig, tmp_path: Path) -> None:
    """9 pairs in batches of 4, twice: 18 / 4 makes 5 updates, and the record says so."""
    run = dpo.train(replace(config, num_updates=None, epochs=2.0, run=str(tmp_path / "run")))
    assert json.loads((run / "config.json").read_text())["config"]["num_updates"] == 5
    assert read_metrics(run)[-1]["update"] == 5
    seen = np.concatenate([draw_batch(0, u, 9, 4) for u in range(5)])
    assert sorted(seen[:9]) == sorted(seen[9:18]) == list(range(9))
    assert seen[:9].tolist() != seen[9:18].tolist()


@pytest.mark.parametrize("what", ["Ctrl-C", "error"])
def test_a_broken_run_resumes_and_ends_where_an_unbroken_one_ends(
    what: str, config: DPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    asked = {"num_updates": 4, "eval_every": 2}
    assert main(["train", "dpo", *arguments(config, whole, **asked)]) == 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    step = Trainer.step

    def disturbed(self: Trainer) -> dict[str, float]:
        if self.updates_done == 2:
            if what == "error":
                raise OSError("no disk")
            signal.raise_signal(signal.SIGINT)
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", disturbed)
        assert main(["train", "dpo", *arguments(config, broken, **asked)]) == (1 if what == "error" else 130)
    assert read_checkpoint(broken)["updates_done"] == (2 if what == "error" else 3)
    assert main(["train", "dpo", *arguments(config, broken, **asked), "--resume"]) == 0
    assert_same(read_checkpoint(whole), read_checkpoint(broken))
    kept = [[{k: v for k, v in row.items() if k != "update_s"} for row in read_metrics(run)] for run in (whole, broken)]
    assert kept[0] == kept[1]
    assert (whole / "samples.md").read_text() == (broken / "samples.md").read_text()


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


def test_a_killed_run_with_adapters_resumes_with_the_same_bits(config: DPOConfig, tmp_path: Path) -> None:
    """kill -9 somewhere in 30 updates, and the rest."""
    pytest.importorskip("peft")
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    more = {"num_updates": 30, "checkpoint_every": 1, "lora_rank": 2}
    command = [sys.executable, "-m", "textgym.cli", "train", "dpo", *arguments(config, broken, **more)]
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
        assert main(["train", "dpo", *arguments(config, broken, **more), "--resume"]) == 0
        assert main(["train", "dpo", *arguments(config, whole, **more)]) == 0
    finally:
        torch.set_num_threads(threads)
    assert_same(read_checkpoint(whole), read_checkpoint(broken))


def test_with_adapters_the_reference_is_the_start(config: DPOConfig) -> None:
    pytest.importorskip("peft")
    trainer = Trainer(replace(config, lora_rank=2))
    assert trainer.stage.reference is None
    assert trainer.step()["loss"] == pytest.approx(math.log(2), abs=1e-7)
    assert trainer.step()["margin"] != 0.0
    assert trainer.stage.evaluate(of_reference=True).means["held_out/margin"] == 0.0
    assert len(trainer.trained) == sum("lora_" in name for name, _ in trainer.stage.model.named_parameters())


@pytest.mark.parametrize("lora_rank", [None, 2])
def test_in_bfloat16_every_trained_weight_moves(lora_rank: int | None, config: DPOConfig) -> None:
    if lora_rank:
        pytest.importorskip("peft")
    trainer = Trainer(replace(config, dtype="bfloat16", lora_rank=lora_rank, learning_rate=1e-2))
    before = [p.detach().clone() for p in trainer.trained]
    assert trainer.step()["loss"] == pytest.approx(math.log(2), abs=1e-6)
    trainer.step()  # an adapter's second matrix starts at zero, so its first one waits for it
    for old, new in zip(before, trainer.trained, strict=True):
        assert new.dtype == torch.float32
        assert not torch.equal(old, new)


def test_two_processes_take_the_step_of_one(config: DPOConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two processes holds half of the batch; the sums of both are what one process has."""
    alone, _ = gradient(config)
    moved = []
    for rank in (0, 1):
        trainer = Trainer(replace(config, learning_rate=1.0, max_grad_norm=1e9), World(0, 1))
        trainer.stage.share = World(rank, 2).share(config.batch_size)
        trainer.optimizer = torch.optim.SGD(trainer.trained, lr=1.0)
        before = weights(trainer)
        trainer.step()
        moved.append({name: before[name] - value for name, value in trainer.stage.model.state_dict().items()})
    assert_close(alone, {name: (moved[0][name] + moved[1][name]) / 2 for name in alone})  # equal weights
    with pytest.raises(
        ValueError, match="batch_size must be a multiple of the number of processes, got 4 records for 3"
    ):
        Trainer(config, World(0, 3))


def test_the_rate_rises_and_falls(config: DPOConfig) -> None:
    given = replace(config, num_updates=10, warmup_updates=4, learning_rate=1.0)
    rates = [learning_rate(given, u, given.warmup_updates) for u in range(10)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5 * 0.91, 0.75 * 0.82, 0.73])
    np.testing.assert_allclose(rates[-1], 1 - 0.9 * 0.9)


def test_the_interval_of_a_weighted_mean() -> None:
    mean, half = weighted_mean(np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0]))
    assert mean == pytest.approx(3.75)
    assert half == pytest.approx(1.96 * math.sqrt(2.75**2 + 1.75**2 + 4 * 2.25**2) / 4)
    assert math.isnan(weighted_mean(np.array([1.0]), np.array([1.0]))[1])


# -- bad input --------------------------------------------------------------------------------------


def test_records_that_do_not_fit_are_counted(config: DPOConfig, tmp_path: Path) -> None:
    prompt, good, bad = (Message("user", "Hello?"),), (Message("assistant", "Hi."),), (Message("assistant", "No."),)
    long = (Message("user", "Hello? " * 60),)
    ends_nowhere = (Message("assistant", "Hi."), Message("user", "And then?"))
    twice = (Message("assistant", "Hi."), Message("assistant", "Hi again."))
    rows = [
        Preference(prompt, good, bad),
        Preference(prompt, good, good),
        Preference(long, good, bad),
        Preference(prompt, ends_nowhere, bad),  # what follows the last turn is nobody's: a pair like any other
        Preference(prompt, ends_nowhere, good),  # and without it these two are equal
        Preference(prompt, twice, bad),
        Preference(prompt, bad, good, weight=0.0),
    ]
    write_preferences(tmp_path / "odd.jsonl", rows)
    given = replace(config, preferences=str(tmp_path / "odd.jsonl"), holdout=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(dpo.load(given).training) == 2
    (told,) = [str(w.message) for w in caught if "left out" in str(w.message)]
    assert told.startswith("5 of 7 records of preferences are left out: 2 chosen and rejected are equal; ")
    for reason in ("1 longer than context_length=96 tokens", "1 the assistant's turns", "1 of weight 0"):
        assert reason in told


WRONG: list[tuple[Callable[[Path], dict[str, Any]], str]] = [
    (lambda f: {"preferences": ""}, "preferences must be the name of a file of judged pairs"),
    (lambda f: {"preferences": str(f / "nowhere.jsonl")}, "nowhere.jsonl could not be read"),
    (lambda f: {"preferences": write(f, "")}, "got none in|is empty"),
    (lambda f: {"preferences": write(f, '{"prompt": "a", "chosn": "b", "rejected": "c"}\n')}, "columns"),
    (lambda f: {"preferences": write(f, '{"prompt": "a", "chosen": "b"\n')}, "line 1: no JSON"),
    (lambda f: {"preferences": write(f, '{"prompt": "a", "chosen": "b", "rejected": "b"}\n'), "holdout": 0}, "equal"),
    (lambda f: {"preferences": write(f, '{"prompt": "a", "chosen": "b", "rejected": "c"}\n')}, "holdout=0.25 cannot"),
    (
        lambda f: {"preferences": write(f, '{"prompt": "a", "chosen": "b", "rejected": "c"}\n'), "raters": "soft"},
        "name none",
    ),
    (lambda f: {"preferences": write(f, sampled("Translate"))}, r"env must be that of the preferences.*Translate"),
    (lambda f: {"beta": 0.0}, "beta must be above 0"),
    (lambda f: {"loss_type": "hinge"}, r"loss_type must be one of \['sigmoid', 'ipo'\]"),
    (lambda f: {"raters": "all"}, "raters must be one of"),
    (lambda f: {"label_smoothing": 0.5}, "label_smoothing must be from 0 to below 0.5"),
    (lambda f: {"label_smoothing": 0.1, "loss_type": "ipo"}, "label_smoothing must be 0 with loss_type='ipo'"),
    (lambda f: {"holdout": 0.9}, "holdout must be"),
    (lambda f: {"batch_size": 0}, "batch_size must be"),
    (lambda f: {"epochs": 0.0}, "epochs must be above 0"),
    (lambda f: {"num_updates": 0}, "num_updates must be"),
    (lambda f: {"eval_split": "dev"}, "eval_split must be one of"),
    (lambda f: {"warmup_updates": -1}, "warmup_updates must be"),
]


def write(folder: Path, text: str) -> str:
    (folder / "wrong.jsonl").write_text(text)
    return str(folder / "wrong.jsonl")


def sampled(world: str) -> str:
    row = {"prompt": "a", "chosen": "b", "rejected": "c", "source": f"textgym/{world}-v0 train 0"}
    return json.dumps(row) + "\n"


@pytest.mark.parametrize(("changes", "told"), WRONG)
def test_bad_values_are_named_before_anything_is_written(
    changes: Callable[[Path], dict[str, Any]], told: str, config: DPOConfig, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        dpo.train(replace(config, run=str(tmp_path / "run"), **changes(tmp_path)))
    assert not (tmp_path / "run").exists()


def test_pairs_of_nobody_knows_what_are_evaluated_with_a_warning(config: DPOConfig, tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    given = replace(config, preferences=path, holdout=0, data=None, reward=None, context_length=None)
    with pytest.warns(UserWarning, match="evaluations are on the embedded prompts of textgym/Summarize-v0"):
        dpo.load(given)


def test_prompts_that_are_learnt_are_not_called_held_out(config: DPOConfig, tmp_path: Path) -> None:
    rows = [
        Preference(
            (Message("user", f"The mayor opened bridge {k} on Monday."),), *((Message("assistant", t),) for t in "ab")
        )
        for k in range(3)
    ]
    write_preferences(tmp_path / "pairs.jsonl", rows)
    given = replace(config, preferences=str(tmp_path / "pairs.jsonl"), holdout=0, run=str(tmp_path / "run"))
    with pytest.warns(UserWarning, match="training prompts: the preferences have prompts of eval_split='validation'"):
        dpo.train(given)
