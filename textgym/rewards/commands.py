"""What `textgym reward` can do: train, eval, serve. The command line reads the options from these signatures."""

from __future__ import annotations

import json as json_format
import sys
from typing import Any, Literal

from textgym import checks
from textgym.progress import json_alone, slow_bar
from textgym.rewards.api import train_reward_model
from textgym.rewards.stored import load_stored
from textgym.rewards.train import RewardTrainConfig

DEFAULTS = RewardTrainConfig()


def train(
    data: tuple[str, ...],
    model: str = "embedded",
    out: str = "reward",
    tokenizer: str | None = None,
    raters: Literal["each", "majority", "posterior", "soft"] = "each",
    members: int = 1,
    test_out: str | None = None,
    json: bool = False,
    config: RewardTrainConfig = DEFAULTS,
) -> None:
    """Trains a reward model on judged pairs, or on ratings of single responses.

    Ctrl-C ends the training and saves the best weights so far, where some were evaluated; a second one ends the
    command, and an old folder stays as it was.

    Args:
        data: files of preferences, or anything that `textgym feedback import` reads.
        model: what to start from: embedded (the embedded policy), embedded:summarize, embedded:translate,
            embedded:dialogue (an embedded reward model), or a folder or hub name of a language model or encoder.
        out: folder for the checkpoint.
        tokenizer: a folder or hub name; left out, the model's own.
        raters: each judgement as it is, the majority of a pair's raters, or how far a rater model believes them: as one
            weighted preference a pair (posterior) or as both sides with their probabilities (soft).
        members: more than 1: an ensemble of so many models with different seeds and one division of the data.
        test_out: a file for the held-out pairs, for `textgym reward eval`.
        json: print the figures as one line of JSON.
        config: how it is trained.
    """
    with json_alone(json) as print_line:
        trained = train_reward_model(
            _listed(data),
            out,
            model=model,
            tokenizer=tokenizer,
            raters=raters,
            members=members,
            test_output=test_out,
            config=config,
            shows_progress=not json and sys.stderr.isatty(),
        )
        figures = dict(trained.figures)
        print_line(json_format.dumps(figures))
    if not json:
        print(_shown(figures, out))
    if figures.get("interrupted"):
        raise KeyboardInterrupt


def evaluate(
    data: tuple[str, ...],
    model: str,
    other: tuple[str, ...] = (),
    out: str | None = None,
    json: bool = False,
    probes: int = 200,
    tokenizer: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    seed: int = 0,
) -> None:
    """Measures a reward model on judged pairs, on ratings, or on RewardBench files.

    Args:
        data: files that it was not trained on; the page and the figures are about them.
        model: folder or hub name, embedded:summarize, embedded:translate, embedded:dialogue, or a server's address.
        other: files from elsewhere, to be shown beside: out of distribution.
        out: a page of HTML with pictures, in one file.
        json: print the figures as one line of JSON.
        probes: on how many responses the tricks are tried that should not pay; 0: none.
        tokenizer: a folder or hub name; left out, the model's own.
        device: where the model computes.
        dtype: float32, bfloat16 or float16.
        seed: of resampling, of the halves between which the temperature goes, and of the tricks.
    """
    from textgym.rewards.report import describe, make_report

    checks.whole("probes", probes)
    with json_alone(json) as print_line:
        with slow_bar(f"loading {model}", is_wanted=not json) as tell:
            reward = load_stored(model, tokenizer, device, dtype)
            report = {"model": model, **make_report(reward, _listed(data), list(other), probes, seed, tell)}
        if out is not None:
            from textgym.rewards.page import write_page

            write_page(out, report)
        print_line(json_format.dumps(report))
    if not json:
        print("\n".join(describe(report)))


def serve(
    model: str,
    host: str = "127.0.0.1",
    port: int = 8001,
    tokenizer: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    max_batch: int = 256,
    wait_ms: float = 5.0,
    max_body_mb: float = 16.0,
) -> None:
    """Serves a reward model over HTTP until Ctrl-C, with the bodies of vLLM's /classify and OpenRLHF's /get_reward.

    Args:
        model: folder or hub name, embedded:summarize, embedded:translate or embedded:dialogue.
        host: 127.0.0.1 is this machine only; 0.0.0.0 all that reach it (there is no password).
        port: 0 takes a free one.
        tokenizer: a folder or hub name; left out, the model's own.
        device: where the model computes.
        dtype: float32, bfloat16 or float16.
        max_batch: conversations that are scored in one go.
        wait_ms: how long a request waits for others to be scored with.
        max_body_mb: larger requests are refused.
    """
    from textgym.rewards.serve import RewardServer

    checks.port(port)  # before a model is loaded
    wait, most = checks.number("wait_ms", wait_ms, 0) / 1000, checks.positive("max_body_mb", max_body_mb)
    reward: Any = load_stored(model, tokenizer, device, dtype)
    first = getattr(reward, "models", [reward])[0]
    own = getattr(first, "tokenizer", None)
    with RewardServer(reward, own, model, host, port, max_batch, wait, round(most * 1e6)) as server:
        print(f"serving {model} on {server.url}/classify and {server.url}/get_reward, Ctrl-C ends it", flush=True)
        server.wait()


def _listed(data: tuple[str, ...]) -> list[str]:
    if not data:
        raise ValueError("data must be one file or more, got none")
    return list(data)


def _shown(figures: dict[str, float], out: str) -> str:
    from textgym.rewards.calibration import describe

    return f"{out}: trained{' (interrupted)' if figures.get('interrupted') else ''}\n\n{describe(figures)}"
