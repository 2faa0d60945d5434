"""Laws of the baselines: what is said is what their names say, cut and scored as any policy's; and of their results.

`textgym evaluate` takes them in a policy's place, on the same prompts and with the same users.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_tokenizer

from textgym.agents.baselines import Baseline, evaluate_baseline, find_baseline, lead, play_baseline
from textgym.agents.online_config import OnlineConfig
from textgym.agents.stage import make_env
from textgym.cli import main
from textgym.models import places

DOCUMENTS = ("It rained. The mayor fell! Who laughed? Nobody did.", "No end here", 'He said "Go." Then he went.')


@pytest.fixture
def news(tmp_path: Path) -> str:
    rows = [{"document": text, "summary": f"Reference {k}."} for k, text in enumerate(DOCUMENTS)]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "news.jsonl")


def env_of(data: str, n: int, **more: Any) -> Any:
    given = {"data": data, "reward": "chrf", "context_length": 160, "max_new_tokens": 60, "device": "cpu"} | more
    return make_env(OnlineConfig(**given), tiny_tokenizer(), "train", n)


def said_by(name: str, env: Any, seed: int = 0) -> Any:
    baseline = find_baseline(name)
    assert baseline is not None
    n = env.unwrapped.num_envs
    return play_baseline(baseline, env, tiny_tokenizer(), np.arange(n), [seed + k for k in range(n)])


def test_names() -> None:
    assert find_baseline("lead-12") == Baseline("lead-12", "lead", 12)
    assert find_baseline("random") == Baseline("random", "random")
    for policy in ("embedded", "lead-singer-of-a-band/model", "org/random", "org/randomly"):
        assert find_baseline(policy) is None
    for wrong in ("lead", "lead-", "lead-0", "lead-three", "lead--1", "lead-²"):
        with pytest.raises(ValueError, match=r"must be named lead-N.*got 'lead"):
            find_baseline(wrong)


def test_lead_is_the_first_sentences_as_they_stand() -> None:
    assert [lead(DOCUMENTS[0], n) for n in (1, 2, 3)] == [
        "It rained.",
        "It rained. The mayor fell!",
        "It rained. The mayor fell! Who laughed?",
    ]
    assert lead(DOCUMENTS[0], 9) == DOCUMENTS[0]
    assert lead("  " + DOCUMENTS[1], 1) == DOCUMENTS[1]
    assert lead(DOCUMENTS[2], 1) == 'He said "Go."'
    assert lead("Costs 3.50 euros. Yes.", 1) == "Costs 3.50 euros."


def test_lead_and_reference_say_what_they_are_named_for(news: str) -> None:
    env = env_of(news, 3)
    told = said_by("lead-1", env)
    assert [m[-1]["content"] for m in told.messages] == ["It rained.", "No end here", 'He said "Go."']
    assert told.last_turn_has_eot.all()
    reference = said_by("reference", env)
    assert [m[-1]["content"] for m in reference.messages] == [f"Reference {k}." for k in range(3)]
    assert reference.scores.tolist() == [1.0, 1.0, 1.0]  # chrF with itself
    assert (told.scores < 1).all()
    short = said_by("lead-2", env_of(news, 1, max_new_tokens=4))
    assert short.episodes[0].num_chosen == 4  # cut as any policy's
    assert not short.last_turn_has_eot[0]


def test_random_draws_alike_from_what_a_policy_may_say(news: str) -> None:
    env = env_of(news, 3, max_new_tokens=60)
    tokenizer = tiny_tokenizer()
    said = [i for seed in range(0, 300, 3) for e in said_by("random", env, seed).episodes for i in e.continuation]
    allowed = set(np.flatnonzero(~tokenizer.control_mask).tolist())
    assert set(said) <= allowed
    share = said.count(tokenizer.end_of_turn) / len(said)
    assert share == pytest.approx(1 / len(allowed), rel=0.35)
    counts = np.bincount(said, minlength=tokenizer.vocab_size)[sorted(allowed)]
    expected = len(said) / len(allowed)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi_square - len(allowed)) < 6 * np.sqrt(2 * len(allowed))
    again, other = (said_by("random", env, seed).messages for seed in (0, 3))
    assert said_by("random", env, 0).messages == again != other


def test_a_recorded_conversation_is_said_turn_by_turn(tmp_path: Path) -> None:
    turns = [("user", "One?"), ("assistant", "Yes, one."), ("user", "Two?"), ("assistant", "Two."), ("user", "Three?")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    (tmp_path / "chat.jsonl").write_text(json.dumps(row) + "\n")
    data = json.dumps({"path": str(tmp_path / "chat.jsonl"), "user": "replay"})
    told = said_by("reference", env_of(data, 1, env="textgym/Dialogue-v0", context_length=256))
    assert [m["content"] for m in told.messages[0]] == ["One?", "Yes, one.", "Two?", "Two.", "Three?", ""]
    assert told.episodes[0].num_chosen == sum(len(tiny_tokenizer().encode(t)) + 1 for t in ("Yes, one.", "Two.", ""))


@pytest.mark.parametrize("world", ["Summarize", "Translate", "Dialogue"])
def test_the_tasks_own_answer_is_nearly_perfect_and_random_is_not(world: str) -> None:
    config = OnlineConfig(env=f"textgym/{world}-v0", reward="gold", device="cpu")
    from textgym.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer("embedded")
    gold = {}
    for name in ("reference", "random"):
        baseline = find_baseline(name)
        assert baseline is not None
        found = evaluate_baseline(
            baseline, tokenizer, lambda n: make_env(config, tokenizer, "validation", n), num_prompts=12, seed=0
        )
        gold[name] = found.means["gold"]
        assert found.means["score"] == pytest.approx(gold[name])
    assert gold["reference"] > 0.9
    assert gold["random"] < 0.2


def test_lead_is_refused_where_there_is_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "lead-3", "--env", "textgym/Translate-v0", "--prompts", "2", "--device", "cpu"]) == 1
    assert "lead-3 takes sentences of a document, which only textgym/Summarize-v0 has" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "meant"), [("lead3", "lead-3"), ("refrence", "reference"), ("radnom", "random")])
def test_a_baseline_that_is_misspelt_is_told_the_right_name(
    given: str, meant: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "is_reachable", lambda url: pytest.fail("a typo is not looked for on the hub"))
    assert main(["evaluate", given, "--device", "cpu"]) == 1
    assert f"policy={given!r} is no folder here; did you mean {meant!r}?" in capsys.readouterr().err


def test_reference_is_refused_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "bare.jsonl").write_text('{"document": "It rained."}\n')
    with pytest.raises(ValueError, match="reference needs a task with answers"):
        said_by("reference", env_of(str(tmp_path / "bare.jsonl"), 1, reward="constant:0"))


def test_evaluate_takes_them_and_leaves_the_folder_of_a_run(
    news: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "lead"
    given = ["--data", news, "--reward", "chrf", "--prompts", "3", "--device", "cpu", "--json"]
    assert main(["evaluate", "lead-1", *given, "--run", str(run)]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["settings"]["policy"] == "lead-1"
    written = json.loads((run / "config.json").read_text())
    assert written["agent"] == "lead-1"
    assert written["config"]["env"] == "textgym/Summarize-v0"
    (line,) = [json.loads(row) for row in (run / "metrics.jsonl").read_text().splitlines()]
    assert line["update"] == 0
    assert line["evaluation"]["score"] == printed["figures"]["score"]
    assert line["evaluation"]["gold"] is None  # nobody knows the meaning of these records
    assert "> It rained." in (run / "samples.md").read_text()
    before = (run / "config.json").read_bytes()
    assert main(["evaluate", "lead-2", *given, "--run", str(run)]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert (run / "config.json").read_bytes() == before
    for wrong in (["--greedy"], ["--temperature", "0.5"]):
        assert main(["evaluate", "random", *given, *wrong]) == 1
        assert "greedy and temperature must be left out with 'random'" in capsys.readouterr().err
