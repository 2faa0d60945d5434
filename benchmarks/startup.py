"""What does starting cost: `import textgym`, and `gym.make` with its learned reward?

Each time is taken in a fresh process, the two sides in turn (A B A B …), and the medians are
compared, because a machine that is busy with other work slows both:

- *import*: `import gymnasium` against `import gymnasium, textgym`, interpreter start included, and
  whether torch or transformers came along;
- *make*: `gym.make(id)` and its first `reset`, against a bare `from_pretrained` of the same
  tokenizer's and reward model's files. Both sides import what they need (torch and transformers take
  longer than the rest together); the start of the interpreter is left out.

    python benchmarks/startup.py
    python benchmarks/startup.py --repeats 3 --envs textgym/Dialogue-v0 --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

from textgym import ENV_IDS
from textgym.models.tokenizer import EMBEDDED as TOKENIZER
from textgym.rewards.spec import EMBEDDED as REWARDS

BARE = "import gymnasium"
IMPORT = """
import sys, time
import gymnasium, numpy
start = time.perf_counter()
import textgym
print(time.perf_counter() - start, *(m for m in ("torch", "transformers", "tokenizers") if m in sys.modules))
"""
# Both print the seconds from their first line on; the model is loaded in float32 on both sides.
MAKE = """
import time
start = time.perf_counter()
import gymnasium as gym, textgym
env = gym.make({id!r})
env.reset(seed=0)
print(time.perf_counter() - start)
"""
LOAD = """
import time
start = time.perf_counter()
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer
AutoTokenizer.from_pretrained({tokenizer!r})
AutoTokenizer.from_pretrained({reward!r})
AutoModelForTokenClassification.from_pretrained({reward!r}, dtype=torch.float32)
print(time.perf_counter() - start)
"""


def run(code: str) -> tuple[float, list[str]]:
    """Seconds that a fresh process takes, and what it prints, split."""
    start = perf_counter()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    seconds = perf_counter() - start
    if ran.returncode:
        sys.exit(f"a fresh process failed:\n{ran.stderr}")
    return seconds, ran.stdout.split()


def measure_import(repeats: int) -> dict[str, Any]:
    bare, with_textgym, inside, loaded = [], [], [], set()
    for _ in range(repeats):
        bare.append(run(BARE)[0])
        seconds, (took, *modules) = run(IMPORT)
        with_textgym.append(seconds)
        inside.append(float(took))
        loaded.update(modules)
    return {
        "gymnasium_s": median(bare),
        "gymnasium_and_textgym_s": median(with_textgym),
        "added_s": median(with_textgym) - median(bare),
        "import_textgym_s": median(inside),
        "loaded": sorted(loaded),  # of torch, transformers, tokenizers
        "all_s": {"gymnasium": bare, "gymnasium_and_textgym": with_textgym},
    }


def measure_make(env_id: str, repeats: int) -> dict[str, Any]:
    world = env_id.removeprefix("textgym/").split("-")[0].lower()
    load = LOAD.format(tokenizer=str(TOKENIZER), reward=str(REWARDS / world))
    bare, made = [], []
    for _ in range(repeats):
        bare.append(float(run(load)[1][0]))
        made.append(float(run(MAKE.format(id=env_id))[1][0]))
    return {
        "from_pretrained_s": median(bare),
        "make_s": median(made),
        "added_s": median(made) - median(bare),
        "all_s": {"from_pretrained": bare, "make": made},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", nargs="+", default=list(ENV_IDS), choices=list(ENV_IDS))
    parser.add_argument("--repeats", type=int, default=10, help="fresh processes of each kind for the import")
    parser.add_argument("--make-repeats", type=int, default=5, help="fresh processes of each kind for an env")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if min(arguments.repeats, arguments.make_repeats) < 1:
        parser.error("--repeats and --make-repeats must be at least 1")
    run(BARE)  # the first of all reads from the disk
    found: dict[str, Any] = {"import": measure_import(arguments.repeats), "make": {}}
    f = found["import"]
    print(
        f"import gymnasium {f['gymnasium_s']:.3f} s, with textgym {f['gymnasium_and_textgym_s']:.3f} s: "
        f"{f['added_s']:+.3f} s ({1000 * f['import_textgym_s']:.1f} ms for `import textgym` itself); "
        f"brought along: {', '.join(f['loaded']) or 'neither torch nor transformers nor tokenizers'}",
        flush=True,
    )
    for env_id in arguments.envs:
        found["make"][env_id] = f = measure_make(env_id, arguments.make_repeats)
        print(
            f"gym.make({env_id!r}) {f['make_s']:.2f} s, from_pretrained of the same files "
            f"{f['from_pretrained_s']:.2f} s: {f['added_s']:+.2f} s (imports included)",
            flush=True,
        )
    if arguments.json:
        from textgym.agents.runs import versions

        print(json.dumps({"figures": found, "settings": vars(arguments), "versions": versions()}))


if __name__ == "__main__":
    main()
