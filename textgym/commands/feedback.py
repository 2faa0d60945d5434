"""`textgym feedback sample`: it runs a policy, so it stands above the agents and not with the rest of feedback."""

from __future__ import annotations


def sample(
    out: str = "pairs.jsonl",
    env: str = "textgym/Summarize-v0",
    policy: str = "embedded",
    n: int = 100,
    samples: int = 2,
    split: str = "train",
    temperature: float = 1.0,
    seed: int = 0,
    data: str | None = None,
    data_seed: int = 0,
    context_length: int | None = None,
    max_new_tokens: int | None = None,
) -> None:
    """Writes items to judge: a policy's answers to the prompts of an env.

    Args:
        out: a file of JSON lines.
        env: an id that `textgym list` shows.
        policy: a folder or hub name of a causal language model, or embedded.
        n: how many prompts.
        samples: answers a prompt; 1 to be rated, 2 compared, more ranked.
        split: train, validation or test.
        temperature: 1 samples from the policy's own distribution.
        seed: of the users and of what is sampled.
        data: your own records: a path, or a dict of options as JSON.
        data_seed: which universe of embedded examples.
        context_length: tokens of prompt and answer; the env's default where it is left out.
        max_new_tokens: tokens of an answer; the env's default where it is left out.
    """
    from textgym.agents.sample import SampleConfig, sample_items
    from textgym.feedback.formats import write_file
    from textgym.progress import slow_bar

    sizes = context_length, max_new_tokens
    config = SampleConfig(env, policy, n, samples, split, temperature, seed, data, data_seed, *sizes)
    with slow_bar(f"loading {policy}") as report:
        items, alike = sample_items(config, report)
    write_file(out, "textgym", items, [])
    left_out = f", {alike} prompts left out because all answers were alike" if alike else ""
    print(f"{out}: {len(items)} items{left_out}")
