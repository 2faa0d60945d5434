"""PPO on records of your own with a pretrained policy: what it gains in the metric that pays it.

Three files of a folder, one for each id: a summarization set under ROUGE-L, a translation set under
chrF, and recorded dialogues, played turn by turn, under ROUGE-L. A fifth of the prompts is kept from training, and
half of that is the test split that both policies answer, sampled at temperature 1 and greedily.

    python benchmarks/own_data.py --data FOLDER --policy FOLDER --end-of-turn '<s>' --json
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch
from learning import measure  # the file beside this one

from textgym.agents.evaluate import Evaluation
from textgym.agents.ppo import PPOConfig, train
from textgym.agents.runs import versions

FILES = {
    "textgym/Summarize-v0": ("summarization_scitldr.jsonl", "rougeL", {}),
    "textgym/Translate-v0": ("translation_mlqepe_ende.jsonl", "chrf", {}),
    "textgym/Dialogue-v0": ("dialogue_taskmaster4.jsonl", "rougeL", {"user": "replay"}),
}


def example_answers(evaluation: Evaluation, count: int) -> list[str]:
    """The last answers to the first prompts, for reading."""
    said = [
        [m["content"] for m in messages if m["role"] == "assistant"]
        for r in evaluation.rollouts
        for messages in r.messages
    ]
    return [answers[-1] for answers in said[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the three files")
    parser.add_argument("--policy", required=True, help="folder or hub name of a causal language model")
    parser.add_argument("--end-of-turn", default=None, help="the token that ends a turn, where the tokenizer has none")
    parser.add_argument("--envs", nargs="+", default=list(FILES), choices=list(FILES))
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--kl-coef", type=float, default=PPOConfig.kl_coef)
    parser.add_argument("--context-length", type=int, default=512)
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--num-prompts", type=int, default=256, help="of the test split, or all where it has fewer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", default="runs/own_data", help="where the runs' folders go")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    print("| id | file | metric | sampled before | after | greedy before | after | test prompts | tokens | minutes |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for env in arguments.envs:
        file, reward, options = FILES[env]
        folder = Path(arguments.runs) / f"{env.split('/')[-1]}-seed{arguments.seed}"
        config = PPOConfig(
            env=env,
            policy=arguments.policy,
            end_of_turn=arguments.end_of_turn,
            data=json.dumps({"path": str(Path(arguments.data) / file), "holdout": 0.2, **options}),
            reward=reward,
            context_length=arguments.context_length,
            max_new_tokens=arguments.max_new_tokens,
            num_updates=arguments.updates,
            kl_coef=arguments.kl_coef,
            seed=arguments.seed,
            eval_every=0,
            eval_prompts=64,
            run=str(folder),
        )
        config.check()
        before = measure(config, arguments.policy, arguments.num_prompts)
        train(config)
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        minutes = sum(r["rollout_s"] + r["update_s"] for r in rows if "evaluation" not in r) / 60
        after = measure(config, str(folder / "policy"), arguments.num_prompts)
        figures[env] = {
            "before": {name: e.figures() for name, e in before.items()},
            "after": {name: e.figures() for name, e in after.items()},
            "answers": {"before": example_answers(before["greedy"], 3), "after": example_answers(after["greedy"], 3)},
            "kl": rows[-2]["kl"] if "evaluation" in rows[-1] else rows[-1]["kl"],
            "test_prompts": before["sampled"].num_prompts,
            "minutes_training": minutes,
        }
        cells = [
            f"{e[name].means['score']:.3f} ± {e[name].intervals['score']:.3f}"
            for name in ("sampled", "greedy")
            for e in (before, after)
        ]
        tokens = f"{before['sampled'].means['tokens']:.0f} -> {after['sampled'].means['tokens']:.0f}"
        cells += [str(before["sampled"].num_prompts), tokens, f"{minutes:.1f}"]
        print("| " + " | ".join([env, file, reward, *cells]) + " |", flush=True)
    if arguments.json:
        settings = {k: v for k, v in vars(arguments).items() if k not in ("json", "data", "policy", "runs")}
        settings |= {"policy": Path(arguments.policy).name, "threads": torch.get_num_threads()}
        print(
            json.dumps(
                {"figures": figures, "settings": settings, "versions": versions(), "machine": platform.machine()}
            )
        )


if __name__ == "__main__":
    main()
