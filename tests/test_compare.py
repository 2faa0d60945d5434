"""`textgym compare`: what is read from runs, how seeds are summed up, what is run, gone on with and left alone."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import config, folder, read_metrics  # noqa: F401  (fixtures)

from textgym.agents import reinforce, rloo
from textgym.agents.compare import CompareConfig, plan
from textgym.agents.comparison import STYLES, Result, curve, group, plot, read_result, summarise
from textgym.cli import main

GRID = ((0, 0.5, 0.0), (5, 1.5, 2.0))  # update, score, KL


def write_run(path: Path, rows: list[dict[str, Any]], agent: str | None = "rloo", **settings: Any) -> Path:
    path.mkdir(parents=True)
    record = {"config": {"env": "textgym/Translate-v0", "seed": 0, **settings}, "versions": {}}
    (path / "config.json").write_text(json.dumps(record | ({"agent": agent} if agent else {})))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluation(update: int, score: float, **more: Any) -> dict[str, Any]:
    return {"update": update, "evaluation": {"score": score, "gold": None, "tokens": 7.0, **more}}


def result(agent: str, seed: int, shift: float = 0.0, **settings: Any) -> Result:
    points = [
        {"update": u, "score": s + shift, "gold": 0.1 + u / 10, "kl": k + shift, "tokens": 9.0, "seconds": 3.0 * u}
        for u, s, k in GRID
    ]
    given = {"seed": seed, "env": "textgym/Translate-v0", **settings}
    return Result(f"runs/{agent}-{seed}", agent, seed, "textgym/Translate-v0", given, points)


# -- reading ----------------------------------------------------------------------------------------


def test_a_run_is_read_from_its_folder(tmp_path: Path) -> None:
    """Seconds add up what ends in _s over the updates so far; null is unknown, a cut last line no line."""
    rows = [
        evaluation(0, 0.5, kl=0.0),
        {"update": 1, "kl": 0.1, "rollout_s": 1.0, "update_s": 2.0},
        {"update": 2, "kl": 0.3, "rollout_s": 1.5, "update_s": 2.5},
        evaluation(2, 0.75, kl=0.25),
        {"update": 3, "kl": 0.9, "rollout_s": 100.0, "update_s": 0.0},
    ]
    run = write_run(tmp_path / "run", rows, seed=4)
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"update": 3, "eval')
    found = read_result(run)
    assert (found.agent, found.seed, found.env) == ("rloo", 4, "textgym/Translate-v0")
    assert [(p["update"], p["score"], p["kl"], p["tokens"], p["seconds"]) for p in found.points] == [
        (0, 0.5, 0.0, 7.0, 0),
        (2, 0.75, 0.25, 7.0, 7.0),
    ]
    assert all(math.isnan(p["gold"]) for p in found.points)


def test_a_run_of_before_has_the_kl_of_its_batches(tmp_path: Path) -> None:
    """Evaluations have not always held it, and config.json has not always named the agent."""
    rows = [evaluation(0, 0.5), {"update": 1, "kl": 0.2}, evaluation(1, 0.6)]
    found = read_result(write_run(tmp_path / "run", rows, agent=None))
    assert found.agent == "ppo"
    assert [p["kl"] for p in found.points] == [0.0, 0.2]


def test_what_is_no_run_is_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = write_run(tmp_path / "empty", [])
    broken = write_run(tmp_path / "broken", [])
    (broken / "config.json").write_text("{}")
    for path, said in (
        (tmp_path / "none", "where no config.json lies"),
        (empty, "a run without an evaluation yet"),
        (broken, "whose files are none of a run's"),
    ):
        assert main(["compare", str(path)]) == 1
        told = capsys.readouterr().err
        assert str(path) in told
        assert said in told
    other = write_run(tmp_path / "other", [evaluation(0, 0.5)], env="textgym/Dialogue-v0")
    assert main(["compare", str(other), str(write_run(tmp_path / "x", [evaluation(0, 0.5)]))]) == 1
    assert "folders must hold runs on one env" in capsys.readouterr().err


# -- seeds ------------------------------------------------------------------------------------------


def test_runs_that_differ_in_the_seed_alone_are_one_line() -> None:
    runs = [result("ppo", 0), result("rloo", 0, kl_coef=0.1), result("rloo", 1, kl_coef=0.1, device="cuda")]
    runs.append(result("rloo", 0, kl_coef=0.5))
    found = group(runs)
    assert {label: [r.seed for r in of] for label, of in found.items()} == {
        "ppo": [0],
        "rloo kl_coef=0.1": [0, 1],
        "rloo kl_coef=0.5": [0],
    }
    with pytest.raises(ValueError, match="several runs of ppo with the same seed"):
        group([result("ppo", 0), result("ppo", 0)])


def test_mean_and_spread_over_seeds_by_hand() -> None:
    groups = group([result("rloo", 0), result("rloo", 1, shift=2.0), result("ppo", 0)])
    found = summarise(groups)["rloo"]
    assert found["curve"]["score"] == [1.5, 2.5]
    assert found["end_sd"]["score"] == pytest.approx(math.sqrt(2))  # 1.5 and 3.5
    assert found["end"]["seconds"] == 15
    assert found["end_sd"]["seconds"] == 0
    assert found["start"]["kl"] == 1
    assert math.isnan(summarise(groups)["ppo"]["end_sd"]["score"])  # one seed has no spread


def test_only_updates_that_all_seeds_have_count() -> None:
    short = result("rloo", 1)
    short.points.pop()
    assert curve([result("rloo", 0), short])["update"].tolist() == [0]


# -- the picture ------------------------------------------------------------------------------------


def test_the_picture_shows_the_curves() -> None:
    groups = group([result("rloo", 0), result("rloo", 1, shift=2.0), result("ppo", 0)])
    figure = plot(groups, "a title")
    labels = [(axis.get_xlabel().split()[0], axis.get_ylabel()) for axis in figure.axes]
    assert labels == [(x, y) for y in ("learned score", "gold score") for x in ("KL", "seconds")]
    axis = figure.axes[0]
    lines, _, bars = axis.containers[0].lines
    np.testing.assert_allclose(lines.get_xydata(), [(1.0, 1.5), (3.0, 2.5)])  # means of KL and score
    top, bottom = bars[0].get_segments()[1][::-1, 1]
    assert top - bottom == pytest.approx(2 * math.sqrt(2))
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["rloo", "ppo"]
    assert len({(marker, str(line)) for marker, line, _ in STYLES}) == len(STYLES)  # told apart without colour
    nobody = [r._replace(points=[p | {"gold": math.nan} for p in r.points]) for r in (result("ppo", 0),)]
    assert len(plot(group(nobody), "").axes) == 2  # a task without a judge


# -- running ----------------------------------------------------------------------------------------


def arguments(config: Any, out: Path, *more: str) -> list[str]:  # noqa: F811
    given = ["--policy", config.policy, "--data", str(config.data), "--reward", "chrf", "--env", config.env]
    given += ["--prompts-per-update", "2", "--samples-per-prompt", "2", "--num-updates", "2", "--eval-every", "1"]
    return ["compare", *given, "--eval-prompts", "2", "--device", "cpu", "--dtype", "float32", "--out", str(out), *more]


@pytest.mark.filterwarnings("ignore:evaluations are on training prompts")
def test_agents_are_run_resumed_and_read(
    config: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    asked = arguments(config, out, "--agents", "reinforce,rloo", "--seeds", "0", "1", "--json")
    step = rloo.Trainer.step

    def break_off(self: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(rloo.Trainer, "step", break_off)
        assert main(asked) == 130
    told = capsys.readouterr()
    assert "goes on where it stopped" in told.err
    assert told.out == ""  # with --json only the figures go there
    assert (out / "reinforce-seed1/samples.md").exists()
    assert [row["update"] for row in read_metrics(out / "rloo-seed0")] == [0, 1, 1]
    assert not (out / "rloo-seed1").exists()
    monkeypatch.setattr(reinforce, "train", lambda config: pytest.fail("is finished already"))
    assert main(asked) == 0
    told = capsys.readouterr()
    assert "4 runs, 2 of them finished already" in told.err
    assert told.out.count("\n") == 1
    figures = json.loads(told.out)
    assert figures == json.loads((out / "comparison.json").read_text())
    assert (out / "comparison.png").stat().st_size > 10_000
    assert list(figures["agents"]) == ["reinforce", "rloo"]
    assert [row["update"] for row in read_metrics(out / "rloo-seed0")] == [0, 1, 1, 2, 2]
    for name, found in figures["agents"].items():
        assert found["update"] == [0, 1, 2]
        assert found["seeds"] == [0, 1]
        assert found["curve"]["kl"][0] == 0
        assert found["curve"]["kl"][2] != 0
        assert found["end"]["gold"] is None  # nobody knows these records
        ends = [read_metrics(out / f"{name}-seed{k}")[-1]["evaluation"]["score"] for k in (0, 1)]
        assert found["end"]["score"] == pytest.approx(sum(ends) / 2)
        assert found["end"]["seconds"] > found["curve"]["seconds"][1] > 0
    assert "mean ± standard deviation over seeds" in told.err
    before = (out / "comparison.json").read_bytes()
    monkeypatch.setattr(rloo, "train", lambda config: pytest.fail("is finished already"))
    assert main(asked) == 0
    assert (out / "comparison.json").read_bytes() == before
    assert main([*asked, "--kl-coef", "0.7"]) == 1
    assert "kl_coef was 0.1 and is 0.7" in capsys.readouterr().err
    assert main(["compare", str(out / "rloo-seed0"), str(out / "reinforce-seed0")]) == 0
    assert "rloo" in capsys.readouterr().out


def test_all_runs_are_checked_before_the_first_begins(
    config: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reinforce, "train", lambda config: pytest.fail("began"))
    asked = arguments(config, tmp_path / "out", "--agents", "reinforce", "rloo", "--samples-per-prompt", "1")
    assert main(asked) == 1
    assert "samples_per_prompt must be at least 2 with rloo" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "agents must name some of"),
        (["--agents", "rlo"], "got 'rlo'; did you mean 'rloo'"),
        (["--agents", "assets"], "agents must be among"),
        (["--agents", "ppo,torchrl"], "agents has 'torchrl', which leaves no run's folder"),
        (["--agents", "ppo", "--seeds", "1", "1"], "seeds must be one or several different numbers"),
        (["--agents", "ppo", "--seeds", "-1"], "seeds must be an integer of at least 0"),
        (["--agents", "ppo", "--num-updates", "0"], "num_updates must be an integer of at least 1"),
        (["--agents", "ppo", "--env", "Translate"], "got 'Translate'; did you mean 'textgym/Translate-v0'?"),
        (["--agents", ""], "agents must name some of ['ppo', "),
        (["--agents", " ,"], "agents must name some of ['ppo', "),
        (
            ["--agents", "ppo", "--env", "textgym/Trnslate-v0"],
            "got 'textgym/Trnslate-v0'; did you mean 'textgym/Translate-v0'?",
        ),
        (["somewhere", "--agents", "ppo"], "agents must be left out where folders are compared"),
        (["somewhere", "--num-updates", "9"], "num_updates must be left out where folders are compared, got 9"),
        (["somewhere", "--env", "textgym/Dialogue-v0"], "env must be left out where folders are compared"),
    ],
)
def test_bad_input_is_told_by_name(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *given]) == 1
    assert said in capsys.readouterr().err


def test_every_agent_gets_what_it_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = CompareConfig(("ppo,rloo", "grpo"), seeds=(3,), num_updates=12, kl_coef=0.2, out=str(tmp_path))
    plans = plan(given)
    assert [p.name for p in plans] == ["ppo", "rloo", "grpo"]
    for p in plans:
        assert (p.config.seed, p.config.num_updates, p.config.kl_coef, p.config.eval_every) == (3, 12, 0.2, 2)
        assert p.config.run == str(tmp_path / f"{p.name}-seed3")
        assert not p.config.resume
    assert capsys.readouterr().out == ""
