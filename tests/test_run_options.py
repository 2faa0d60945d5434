"""What a run is told besides its algorithm: a config file, trackers, a KL budget; and what it leaves behind.

The best policy, samples of each evaluation, the commit of the code, the batch on which numbers
stopped being finite, and a word on memory that ran out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tiny_runs import arguments, chat, config, folder, read_metrics, with_reward  # noqa: F401  (fixtures)

from textgym.agents import commands, failures, ppo, runs, trackers
from textgym.agents.ppo import PPOConfig, Trainer, train
from textgym.agents.stage import Stage
from textgym.agents.trackers import open_tracker
from textgym.cli import main


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_options_is_the_dataclass(tmp_path: Path) -> None:
    """YAML, JSON or another run's config.json; the command line goes before the file."""
    yaml = write(tmp_path / "a.yaml", "env: textgym/Translate-v0\nlearning_rate: 3e-4\nnum_updates: 7\n")
    found = commands.read_config(PPOConfig, yaml)
    assert found == PPOConfig(env="textgym/Translate-v0", learning_rate=3e-4, num_updates=7)
    odd = write(tmp_path / "b.yaml", "num_updates: 1e1\nreward: 0.5\n")
    assert commands.read_config(PPOConfig, odd) == PPOConfig(num_updates=10, reward="0.5")
    as_json = write(tmp_path / "a.json", json.dumps({"data": {"path": "x.jsonl"}, "reward": "chrf"}))
    assert commands.read_config(PPOConfig, as_json).data == '{"path": "x.jsonl"}'
    of_run = {"config": {"seed": 3, "run": "runs/a", "resume": True}, "versions": {}}
    assert commands.read_config(PPOConfig, write(tmp_path / "config.json", json.dumps(of_run))) == PPOConfig(seed=3)
    assert commands.split_config_file(["--seed", "1", "--config", "f", "--lam", "1"]) == (
        "f",
        ["--seed", "1", "--lam", "1"],
    )
    assert commands.split_config_file(["--config=f"]) == ("f", [])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "learning_rat: 1", "learning_rat.*did you mean 'learning_rate'"),
        ("a.yaml", "- 1\n- 2", "must hold a mapping"),
        ("a.yaml", "a: [", "no YAML"),
        ("a.json", "{", "no JSON"),
        ("b.yaml", None, "could not be read"),
    ],
)
def test_a_wrong_file_of_options(name: str, text: str | None, said: str, tmp_path: Path) -> None:
    path = str(tmp_path / name) if text is None else write(tmp_path / name, text)
    with pytest.raises(ValueError, match=said):
        commands.read_config(PPOConfig, path)
    assert main(["train", "ppo", "--config", path]) == 1


@pytest.mark.parametrize("env", ["Summarize", "Summarize-v0"])
def test_half_an_id_is_told_the_whole_one(env: str) -> None:
    with pytest.raises(ValueError, match=f"env must be one of .* got '{env}'; did you mean 'textgym/Summarize-v0'"):
        PPOConfig(env=env).check()


def test_config_needs_a_file() -> None:
    for given in (["--config"], ["--config", "a", "--config", "b"]):
        with pytest.raises(ValueError, match="--config"):
            commands.split_config_file(given)


def test_the_command_line_goes_before_the_file(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    file = write(tmp_path / "a.yaml", "learning_rate: 1e-4\nkl_coef: 0.3\nnum_updates: 1\n")
    given = arguments(config, tmp_path / "run", num_updates=1, learning_rate=2e-4)
    assert main(["train", "ppo", "--config", file, *given]) == 0
    written = json.loads((tmp_path / "run/config.json").read_text())
    assert (written["config"]["learning_rate"], written["config"]["kl_coef"]) == (2e-4, 0.3)
    assert written["chosen"]["processes"] == 1
    here = Path(runs.__file__).parent
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=here, check=False)
    assert (written["commit"] or "").removesuffix("-dirty") == asked.stdout.strip()


def test_tensorboard_gets_every_figure(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(replace(config, run=str(tmp_path / "run"), log_to="tensorboard"))
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    scores = [e.value for e in events.Scalars("score")]  # of the training batches alone
    assert scores == pytest.approx([row["score"] for row in read_metrics(run) if "kl" in row], abs=1e-6)
    assert [e.step for e in events.Scalars("eval/score")] == [0, config.num_updates]
    told = {e.step: e.value for e in events.Scalars("kl")}
    assert told == pytest.approx({row["update"]: row["kl"] for row in read_metrics(run) if "kl" in row}, abs=1e-6)
    assert "gold" not in events.Tags()["scalars"]  # nobody knows it here


def test_a_tracker_that_is_not_there(config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(ImportError, match="log_to='trackio' needs trackio: pip install"):
        open_tracker("trackio", tmp_path, {})
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="log_to='wandb' needs wandb"):
        Trainer(replace(config, log_to="wandb"))
    with pytest.raises(ValueError, match="log_to must be None or one of"):
        Trainer(replace(config, log_to="paper"))


def test_other_trackers_get_finite_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    module: Any = ModuleType("wandb")
    module.init = lambda **given: calls.append(given)
    module.log = lambda figures, step: calls.append((figures, step))
    monkeypatch.setitem(sys.modules, "wandb", module)
    log = open_tracker("wandb", tmp_path / "my-run", {"seed": 3})
    log({"kl": 0.5, "gold": float("nan"), "update": 4, "kind": "x"}, 4)
    begun = {"project": "textgym", "name": "my-run", "config": {"seed": 3}, "id": "my-run", "resume": "allow"}
    assert calls == [begun, ({"kl": 0.5}, 4)]


def test_a_kl_budget_ends_the_run_and_saves_it(config: PPOConfig, tmp_path: Path, capsys: Any) -> None:  # noqa: F811
    eager = with_reward(replace(config, num_updates=30, learning_rate=2e-2, kl_coef=0.0), lambda t: len(t.response))
    run = train(replace(eager, max_kl=0.5, run=str(tmp_path / "run")))
    kls = [row["kl"] for row in read_metrics(run) if "kl" in row]
    assert len(kls) < 30
    assert kls[-1] > 0.5
    assert all(kl <= 0.5 for kl in kls[:-1])
    assert "evaluation" in read_metrics(run)[-1]
    assert (run / "policy/config.json").exists()
    assert [p.name for p in (run / "checkpoints").iterdir()] == [f"update-{len(kls):06d}"]
    assert "the KL went over max_kl=0.5" in capsys.readouterr().out
    train(replace(eager, max_kl=0.5, run=str(run), resume=True))  # is over still
    assert [row["kl"] for row in read_metrics(run) if "kl" in row] == kls


def test_the_policy_with_the_best_learned_score_is_kept(
    config: PPOConfig,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scores of the evaluations after updates 1, 2, 3: the second is best, and all beat the start."""
    real, told = Stage.evaluate, iter([0.5, 1.0, 3.0, 2.0])

    def evaluate(self: Stage, *given: Any, **more: Any) -> Any:
        found = real(self, *given, **more)
        found.means["score"] = next(told)
        return found

    monkeypatch.setattr(Stage, "evaluate", evaluate)
    saved: list[tuple[str, int]] = []
    save = runs.Run.save_policy
    monkeypatch.setattr(
        runs.Run,
        "save_policy",
        lambda self, trainer, name="policy": (saved.append((name, trainer.updates_done)), save(self, trainer, name))[1],
    )
    run = train(replace(config, num_updates=3, eval_every=1, run=str(tmp_path / "run")))
    assert saved == [("best", 1), ("best", 2), ("policy", 3)]
    assert (run / "best/model.safetensors").exists()
    assert sorted(p.name for p in (run / "samples").iterdir()) == [f"update-00000{k}.md" for k in (1, 2, 3)]


def test_a_run_of_lora_leaves_a_plain_policy(config: PPOConfig, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("peft")
    run = train(replace(config, lora_rank=2, run=str(tmp_path / "run"), checkpoint_every=1))
    assert not (run / "policy/adapter_config.json").exists()
    again = train(replace(config, lora_rank=2, run=str(run), checkpoint_every=1, num_updates=3, resume=True))
    assert [row["update"] for row in read_metrics(again) if "kl" in row] == [1, 2, 3]


@pytest.mark.parametrize("what", ["logprobs", "rewards", "gradient"])
def test_numbers_that_are_none_stop_the_run_with_the_batch(
    what: str,
    config: PPOConfig,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    """In the second update: nothing is trained on them, the first stays saved, the episodes lie in failed.json."""
    if what == "logprobs":
        collect = Trainer.collect

        def spoil(self: Trainer) -> Any:
            rollout = collect(self)
            if self.updates_done == 1:
                with torch.no_grad():
                    self.policy.model.get_output_embeddings().weight[5] = float("nan")
            return rollout

        monkeypatch.setattr(Trainer, "collect", spoil)
    elif what == "rewards":
        rewards = Trainer.rewards
        monkeypatch.setattr(
            Trainer, "rewards", lambda self, *given: rewards(self, *given) * (float("nan") if self.updates_done else 1)
        )
    else:
        loss = ppo.policy_loss
        calls: list[int] = []

        def spoiled(*given: Any) -> Any:
            calls.append(1)
            return loss(*given) * (float("nan") if len(calls) > 4 else 1)

        monkeypatch.setattr(ppo, "policy_loss", spoiled)
    given = replace(config, run=str(tmp_path / "run"), epochs=2, minibatches=2, checkpoint_every=1, batch_tokens=4096)
    with pytest.raises(FloatingPointError, match="not finite"):
        train(given)
    failed = json.loads((tmp_path / "run/failed.json").read_text())
    assert failed["update"] == 2
    assert len(failed["episodes"]) == len(failed["scores"]) == config.batch_size
    assert "not finite" in failed["error"]
    assert (tmp_path / "run/checkpoints/update-000001/state.pt").exists()
    assert "failed.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: x"),
    ],
)
def test_memory_that_runs_out_says_where_and_what_to_lower(
    error: Exception,
    config: PPOConfig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*given: Any, **more: Any) -> Any:
        raise error

    for method, said in (
        ("collect", "generation: lower prompts_per_update"),
        ("update", "the update: lower batch_tokens"),
    ):
        trainer = Trainer(config)
        monkeypatch.setattr(Trainer, method, fail)
        with pytest.raises(failures.OutOfMemoryError, match=said):
            trainer.step()
        monkeypatch.undo()


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes") as caught, failures.phase("x", "y"):
        raise RuntimeError("shapes differ")
    assert not isinstance(caught.value, MemoryError)
