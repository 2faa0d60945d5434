"""The overoptimization lab: the estimator against brute force, fits against planted curves, runs that go on."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textgym.agents import lab, lab_samples
from textgym.agents.lab import OveroptimizeConfig, overoptimize
from textgym.agents.lab_fits import (
    Fit,
    best_of_n,
    best_of_n_weights,
    evaluate_form,
    fit_best_of_n,
    fit_curve,
    fit_updates,
    kl_best_of_n,
    loss_after_peak,
    peak_kl,
    sizes_up_to,
)
from textgym.agents.lab_report import of_best_of_n, of_run, peak_in_words, plot, show
from textgym.agents.lab_samples import Samples, drop_half_line
from textgym.agents.lock import HeldError

SIZES = sizes_up_to(64)
KL = kl_best_of_n(np.array(SIZES))


# the estimator


@pytest.mark.parametrize("ties", [False, True])
def test_best_of_n_is_the_mean_over_all_subsets(ties: bool) -> None:
    rng = np.random.default_rng(0)
    proxy = rng.integers(0, 3, (4, 7)).astype(float) if ties else rng.standard_normal((4, 7))
    value = rng.standard_normal((4, 7))
    for n in range(1, 8):
        expected = []
        for p, v in zip(proxy, value, strict=True):
            picks = []
            for subset in map(list, itertools.combinations(range(7), n)):
                best = [i for i in subset if p[i] == p[subset].max()]
                picks.append(v[best].mean())  # of equals each is as likely
            expected.append(np.mean(picks))
        assert best_of_n(proxy, value, [n])[:, 0] == pytest.approx(expected)


def test_weights_do_not_overflow_and_sum_to_one() -> None:
    for n in (1, 2, 5_000, 10_000):
        weights = best_of_n_weights(10_000, n)
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1)
    assert best_of_n_weights(5, 2) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    with pytest.raises(ValueError, match="n must be from 1 to the 5"):
        best_of_n_weights(5, 6)
    with pytest.raises(ValueError, match="one shape"):
        best_of_n(np.zeros((2, 3)), np.zeros((3, 2)), [1])


def test_the_kl_is_an_upper_bound_that_fine_policies_reach() -> None:
    """Of a policy over m answers with different rewards the best of n is known: F^n, differenced."""
    for m, n in itertools.product((2, 5, 50, 5000), (1, 2, 8, 64)):
        cumulative = np.arange(m + 1) / m
        chosen = np.diff(cumulative**n)
        kl = float((chosen * np.log(np.maximum(chosen, 1e-300) * m)).sum())
        assert kl <= kl_best_of_n(n) + 1e-9
        if m == 5000:
            assert kl == pytest.approx(float(kl_best_of_n(n)), abs=0.01)


# the fits


@pytest.mark.parametrize("form", ["best-of-n", "rl"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 0.1), (0.2, 0.3)])
def test_a_curve_of_the_form_gives_its_alpha_and_beta_and_peak(form: Any, alpha: float, beta: float) -> None:
    kl = np.linspace(0, 9, 40)
    assert fit_curve(kl, evaluate_form(kl, alpha, beta, form), form) == pytest.approx([alpha, beta])
    peak = float(peak_kl(alpha, beta, form))
    grid = np.linspace(0, 3 * peak, 200_001)
    assert grid[evaluate_form(grid, alpha, beta, form).argmax()] == pytest.approx(peak, rel=1e-3)


def test_a_form_that_does_not_come_down_has_no_peak() -> None:
    for form in ("best-of-n", "rl"):
        assert peak_kl(0.3, 0.0, form) == math.inf  # type: ignore[arg-type]
        assert peak_kl(0.3, -0.1, form) == math.inf  # type: ignore[arg-type]
    assert peak_kl(-0.3, 0.1, "best-of-n") == 0
    rising = np.sqrt(KL) * np.linspace(0.2, 0.4, 30)[:, None]
    fit = fit_best_of_n(KL, rising + KL * 0.01)
    assert fit.peak_kl.value == math.inf
    assert math.isnan(fit.peak_gain)


def covers(fits: list[Fit], alpha: float, beta: float, form: Any) -> dict[str, float]:
    truth = {"alpha": alpha, "beta": beta, "peak_kl": float(peak_kl(alpha, beta, form))}
    return {
        name: float(np.mean([getattr(f, name).low <= value <= getattr(f, name).high for f in fits]))
        for name, value in truth.items()
    }


def test_best_of_n_intervals_cover_the_planted_values_nineteen_times_in_twenty() -> None:
    rng, alpha, beta, fits = np.random.default_rng(1), 0.4, 0.12, []
    for seed in range(300):
        a, b = alpha + 0.3 * rng.standard_normal((80, 1)), beta + 0.1 * rng.standard_normal((80, 1))
        gold = 0.5 + 0.2 * rng.standard_normal((80, 1)) + np.sqrt(KL) * a - KL * b
        fits.append(fit_best_of_n(KL, gold + 0.02 * rng.standard_normal(gold.shape), seed, replicates=400))
    assert all(0.90 <= share <= 0.985 for share in covers(fits, alpha, beta, "best-of-n").values())


def test_rl_intervals_cover_the_planted_values_nineteen_times_in_twenty() -> None:
    rng, alpha, beta, fits = np.random.default_rng(2), 0.35, 0.2, []
    kl = np.concatenate([np.zeros(6), np.linspace(0.1, 25, 90)])
    error = rng.uniform(0.02, 0.05, len(kl))
    mean = 0.5 + evaluate_form(kl, alpha, beta, "rl")
    for seed in range(300):
        gold = mean + error * rng.standard_normal(len(kl))
        fits.append(fit_updates(kl, gold, error, 6, seed, replicates=400))
    assert all(0.90 <= share <= 0.985 for share in covers(fits, alpha, beta, "rl").values())


def expected_best(a: float, b: float, n: float) -> float:
    """E[a X - b X²] for the largest X of n standard normals, by quadrature of n Φ(x)^(n - 1) φ(x)."""
    x = np.linspace(-9, 9, 4001)
    cdf = 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    density = n * cdf ** (n - 1) * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return float(np.sum((a * x - b * x * x) * density) * (x[1] - x[0]))


@pytest.mark.parametrize("b", [0.3, 0.25, 0.2])
def test_the_peak_of_a_planted_proxy_is_predicted_within_a_fifth(b: float) -> None:
    """Proxy scores are normal and gold is a x - b x² with noise: good answers score high, the highest are hacks.

    Where gold peaks follows from the order statistics, without any fit; nothing has the published form here.
    """
    grid = np.unique(np.round(np.geomspace(1, 256, 120), 1))
    true = float(kl_best_of_n(grid[int(np.argmax([expected_best(1, b, n) for n in grid]))]))
    sizes = sizes_up_to(256)
    for seed in range(5):
        rng = np.random.default_rng([3, seed])
        proxy = rng.standard_normal((300, 256))
        gold = proxy - b * proxy**2 + 0.5 * rng.standard_normal(proxy.shape)
        fit = fit_best_of_n(kl_best_of_n(np.array(sizes)), best_of_n(proxy, gold, sizes), seed, replicates=200)
        assert fit.peak_kl.value == pytest.approx(true, rel=0.2)


def test_the_loss_after_the_peak_is_the_top_less_the_end() -> None:
    curve = np.array([0.0, 0.4, 0.5, 0.2])
    prompts = curve + np.random.default_rng(0).standard_normal((100, 1))  # each prompt the same curve, higher or lower
    assert loss_after_peak(prompts) == pytest.approx((0.3, 0.3, 0.3))
    assert loss_after_peak(np.cumsum(np.ones((5, 4)), axis=1)).value == 0


# what is told


def planted(models: int = 3, prompts: int = 40, n: int = 64, seed: int = 0) -> Samples:
    """Gold and reward models that like it, each with its own mistakes."""
    rng = np.random.default_rng(seed)
    gold = rng.random((prompts, n))
    scores = gold + 0.4 * rng.standard_normal((models, prompts, n))
    return Samples(scores, gold, rng.integers(5, 30, (prompts, n)), [[f"{i}" for i in range(n)]] * prompts)


def test_ensembles_choose_by_their_rules_and_single_is_every_model_alone() -> None:
    samples = planted()
    s = samples.scores
    assert samples.proxies("single") is s
    for kind, expected in (("mean", s.mean(0)), ("min", s.min(0)), ("mean-std", s.mean(0) - 0.7 * s.std(0))):
        assert samples.proxies(kind, 0.7)[0] == pytest.approx(expected, abs=1e-6)
    found = {kind: of_best_of_n(samples, kind) for kind in lab_samples.KINDS}
    alone = np.mean([best_of_n(m, samples.gold, found["single"]["n"]).mean(0) for m in s], axis=0)
    assert found["single"]["gold"] == pytest.approx(alone)
    assert found["mean"]["gold"][-1] > found["single"]["gold"][-1]  # mistakes of its own average out
    for curves in found.values():
        assert curves["start"] == pytest.approx(samples.gold.mean())
        assert curves["proxy"][0] == 0
        assert curves["proxy"] == sorted(curves["proxy"])
        assert all(a <= g <= b for a, g, b in zip(curves["gold_low"], curves["gold"], curves["gold_high"], strict=True))


def write_run(folder: Path, updates: int = 60, alpha: float = 0.3, beta: float = 0.15) -> Path:
    """A run's folder as PPO leaves it, with gold of the published form."""
    folder.mkdir(parents=True)
    kl = np.maximum(0, np.arange(updates) - 5) * 0.2
    gold = 0.5 + evaluate_form(kl, alpha, beta, "rl")
    config = {"critic_warmup": 5, "prompts_per_update": 16, "seed": 3}
    (folder / "config.json").write_text(json.dumps({"config": config}))
    rows: list[dict[str, Any]] = [{"update": 0, "evaluation": {"gold": 0.1}}]
    for t in range(updates):
        row = {"update": t + 1, "kl": kl[t], "gold": gold[t], "gold_spread": 0.2, "score": t * 0.5, "tokens": 20.0}
        rows.append({**row, "reward_scale": 2.0})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_run_of_ppo_is_read_from_its_own_metrics(tmp_path: Path) -> None:
    found = of_run(write_run(tmp_path / "run"))
    assert found["update"] == list(range(1, 61))  # no evaluation among them
    assert found["start"] == pytest.approx(0.5)
    assert found["fit"]["alpha"]["value"] == pytest.approx(0.3)
    assert found["fit"]["beta"]["value"] == pytest.approx(0.15)
    assert found["proxy"][-1] == pytest.approx(2.0 * (59 * 0.5 - 1.25))  # over the mean of the first six
    assert found["gold_high"][0] - found["gold"][0] == pytest.approx(1.96 * 0.2 / 4)


def test_the_picture_and_the_table_show_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {
        "config": {"env": "textgym/Summarize-v0", "policy": "embedded"},
        "best_of_n": {kind: of_best_of_n(planted(), kind) for kind in ("single", "min")},
        "ppo": {"single": of_run(write_run(tmp_path / "run"))},
        "worst_picks": lab.worst_picks(planted()),
    }
    show(report, tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("best of 64") == 2
    assert "PPO, 60" in printed
    figure = plot(report)
    assert len(figure.axes) == 4
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert {"best-of-n, d(α − βd)", "PPO, d(α − β log d)"} <= set(labels)
    pick = report["worst_picks"][0]
    assert pick["best_gold"] - pick["picked_gold"] >= report["worst_picks"][-1]["best_gold"] - 1


def test_a_peak_says_whether_it_was_seen() -> None:
    from textgym.agents.lab_fits import Estimate

    assert peak_in_words(Estimate(2.0, 1.0, 3.0), 4.0) == "2.0 (1.0 to 3.0)"
    assert peak_in_words(Estimate(9.0, 1.0, math.inf), 4.0) == "9.0* (1.0 to none)"
    assert peak_in_words(Estimate(math.inf, 3.0, math.inf), 4.0) == "none (3.0 to none)"


# the command


TOY = OveroptimizeConfig(env="textgym/Translate-v0", methods="bon", n=4, prompts=6, max_new_tokens=6, updates=10)


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two prompts at once, so that six are three pieces of work."""
    monkeypatch.setattr(lab_samples, "ROWS", 8)


@pytest.mark.usefixtures("chunks")
def test_a_lab_that_was_stopped_goes_on_to_the_same_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overoptimize(replace(TOY, out=str(tmp_path / "whole"), json=True))
    printed = capsys.readouterr().out.splitlines()[-1]
    report = json.loads(printed)
    assert report == json.loads((tmp_path / "whole" / "lab.json").read_text())
    assert (tmp_path / "whole" / "lab.png").read_bytes().startswith(b"\x89PNG")
    assert report["best_of_n"]["single"]["prompts"] == 6

    played = lab_samples.Sampler.play
    calls: list[int] = []

    def stopped(self: Any, start: int) -> Any:
        calls.append(start)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return played(self, start)

    parts = replace(TOY, out=str(tmp_path / "parts"))
    path = tmp_path / "parts" / "samples.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(lab_samples.Sampler, "play", stopped)
        with pytest.raises(KeyboardInterrupt):
            overoptimize(parts)
    assert "4 prompts are sampled; the same command goes on" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-40])  # as a kill leaves it: half of the fourth line
    overoptimize(parts)
    assert path.read_bytes() == (tmp_path / "whole" / "samples.jsonl").read_bytes()
    with pytest.raises(ValueError, match="n was 4 and is 8"):
        overoptimize(replace(parts, n=8))


def test_a_folder_in_which_nothing_was_done_is_not_spoilt_by_a_wrong_name(tmp_path: Path) -> None:
    """Its config.json is all there is, and another config may take the folder; one with anything in it is kept."""
    asked = replace(TOY, out=str(tmp_path / "lab"))
    with pytest.raises(ValueError, match="is a path where no folder is"):
        overoptimize(replace(asked, policy="./nowhere"))
    lab.require_same(asked, tmp_path / "lab")
    (tmp_path / "lab" / "samples.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"policy was '\./nowhere' and is"):
        lab.require_same(asked, tmp_path / "lab")


def test_without_out_a_second_lab_takes_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished lab, one of other settings and one that is going on are left alone; one that broke off goes on."""
    monkeypatch.chdir(tmp_path)
    asked = replace(TOY, n=2, prompts=2)
    first = Path("runs/lab-Translate-v0-seed0")
    second, third = (Path(f"{first}-{k}") for k in (2, 3))
    assert lab.choose_folder(asked) == first
    first.mkdir(parents=True)
    (first / "config.json").write_text(json.dumps(asdict(asked)))
    (first / "samples.jsonl").write_text("")
    assert lab.choose_folder(asked) == first  # the same command goes on
    assert lab.choose_folder(replace(asked, n=4)) == second
    (first / "lab.json").write_text("precious")
    before = {path: path.read_bytes() for path in first.iterdir()}

    def stopped(self: Any, start: int) -> Any:
        with pytest.raises(HeldError, match=r"out='.*-2' is being written to by process"):
            overoptimize(replace(asked, out=str(second)))
        assert lab.choose_folder(asked) == third
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(lab_samples.Sampler, "play", stopped)
        with pytest.raises(KeyboardInterrupt):
            overoptimize(asked)
    assert lab.choose_folder(asked) == second
    capsys.readouterr()
    overoptimize(asked)
    assert f"{first} is taken: this lab goes to {second}" in capsys.readouterr().err
    assert json.loads((second / "lab.json").read_text())["best_of_n"]["single"]["prompts"] == 2
    assert lab.choose_folder(asked) == third
    assert {path: path.read_bytes() for path in first.iterdir()} == before
    assert lab.choose_folder(replace(asked, out=str(second), prompts=4)) == second  # --out adds to a finished one


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    assert drop_half_line(path) == 0
    path.write_text('{"a": 1}\n{"a": 2}\n{"a"')
    assert drop_half_line(path) == 2
    assert path.read_text() == '{"a": 1}\n{"a": 2}\n'


@pytest.mark.usefixtures("chunks")
def test_an_ensemble_is_trained_here_and_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def train(config: Any) -> Path:
        config.check()
        asked.append(config)
        return write_run(Path(config.run))

    monkeypatch.setattr(lab, "train", train)
    config = replace(
        TOY, methods="bon,ppo", reward="single,mean-std", members=2, label_noise=0.25, judged_prompts=24, k=0.5
    )
    overoptimize(replace(config, out=str(tmp_path / "lab")))
    report = json.loads((tmp_path / "lab" / "lab.json").read_text())
    assert list(report["best_of_n"]) == list(report["ppo"]) == ["single", "mean-std"]
    members = [tmp_path / "lab" / "members" / f"member-{k}" for k in range(2)]
    card = (members[0] / "README.md").read_text()
    assert "simulated" in card
    assert "0.25" in card
    first, second = lab_samples.read(tmp_path / "lab" / "samples.jsonl", 6).scores
    assert np.abs(first - second).max() > 1e-3  # other seeds, other models
    assert asked[0].reward == str(members[0])
    assert asked[1].reward == {"type": "ensemble", "models": [str(m) for m in members], "combine": "mean-std", "k": 0.5}
    assert all(config.kl_coef == 0 and not config.resume for config in asked)  # there was no run yet to go on with


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"env": "Summarize"}, "env must be one of"),
        ({"methods": "bon,pp"}, "methods must be one or more of"),
        ({"methods": ""}, "methods must be one or more of"),
        ({"reward": "max"}, "reward must be one or more of"),
        ({"reward": "single,min"}, "needs an ensemble"),
        ({"members": 1, "reward": "mean"}, "needs an ensemble"),
        ({"members": 3, "models": "a,b"}, "members must be 0 where models"),
        ({"label_noise": 0.2}, "label_noise needs members"),
        ({"members": 2, "label_noise": 0.5}, "label_noise must be"),
        ({"n": 1}, "n must be"),
        ({"prompts": 1}, "prompts must be"),
        ({"updates": 5}, "updates must be"),
        ({"split": "tests"}, "split must be one of"),
        ({"seed": -1}, "seed must be"),
        ({"k": -1.0}, "k must be"),
        ({"kl_coef": -0.1}, "kl_coef must be"),
    ],
)
def test_an_option_that_cannot_work_is_named_before_anything_is_written(
    wrong: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=named):
        overoptimize(replace(OveroptimizeConfig(out=str(tmp_path / "lab")), **wrong))
    assert not (tmp_path / "lab").exists()


def test_the_folder_of_an_ensemble_stands_for_its_members(tmp_path: Path) -> None:
    from textgym.rewards.stored import write_ensemble

    write_ensemble(tmp_path, ["member-0", "member-1"])
    config = replace(OveroptimizeConfig(), models=str(tmp_path), reward="mean")
    config.check()
    assert lab.reward_models(config, tmp_path) == [str(tmp_path / f"member-{k}") for k in range(2)]


def test_what_must_not_change_are_settings_that_exist() -> None:
    assert set(lab.SAME) <= set(OveroptimizeConfig.__dataclass_fields__)
