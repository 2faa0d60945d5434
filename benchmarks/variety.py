"""How varied are the worlds' prompts? Names, numbers and dates become placeholders, then what is left is counted.

For each world: how many prompts are still different, and the sentence (skeleton) that stands in most prompts, with its
share of them. Aimed at: 100,000 different prompts at least, no skeleton in more than 1% of the prompts.

    python benchmarks/variety.py
    python benchmarks/variety.py --prompts 20000 --worlds dialogue --json

Masked are all names of people, towns, streets and houses in the world's own lists, days, months, and numbers and
times of day in digits or words ("the second", "half past one" and "one" as a pronoun too); what stands side by side
becomes one placeholder. So a masked prompt that is new differs in words, not in values.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from textgym.tasks.dialogue import words as dialogue
from textgym.tasks.load import load_task
from textgym.tasks.summarize import names as summarize
from textgym.tasks.summarize.numbers import NUMBER_STARTERS, parse_ordinal
from textgym.tasks.translate import words as translate
from textgym.types import Example

AIM_DISTINCT, AIM_SHARE = 100_000, 0.01
NAMES: dict[str, Iterable[str]] = {
    "summarize": (*summarize.FIRST_NAMES, *summarize.SURNAMES, *summarize.TOWNS),
    "translate": (*translate.MALE_NAMES, *translate.FEMALE_NAMES, *translate.SURNAMES, *translate.CITIES),
    "dialogue": (
        *dialogue.NAMES,
        *dialogue.TOWNS,
        *dialogue.HOUSE_FIRST,
        *dialogue.HOUSE_LAST,
        *dialogue.FIRST_NAMES,
        *dialogue.STREETS,
    ),
}
DATES = (*summarize.WEEKDAYS, *summarize.MONTHS)
NUMBERS = NUMBER_STARTERS | {
    "million",
    "a dozen",
    "a half",
    "half",
    "a quarter",
    "quarter",
    "noon",
    "midnight",
    "midday",
    "o'clock",
}
WORD = re.compile(r"\b[Aa] (?:quarter|dozen|half)\b|o'clock|\d[\d,.:]*(?<![,.:])(?:st|nd|rd|th)?|[^\W\d_]+")
# "twenty-one", "half past seven", "a quarter to ten", "14 May" and "May 14th", "Tom Bauer"
RUNS = (
    (re.compile(r"\bNUMBER(?:(?:-| | past | to | and )NUMBER\b)+"), "NUMBER"),
    (re.compile(r"\b(?:(?:the )?NUMBER (?:of )?)?DATE(?:,? (?:the )?(?:NUMBER|DATE)\b)*"), "DATE"),
    (re.compile(r"\bNAME(?:[- ]NAME\b)+"), "NAME"),
)
SENTENCE_END = re.compile(r"(?<=[.?!]) ")


def make_mask(world: str) -> Callable[[str], str]:
    """A function that puts placeholders for the names, dates and numbers of a text of this world."""
    known = dict.fromkeys(DATES, "DATE") | dict.fromkeys(NAMES[world], "NAME")

    def mask_word(match: re.Match[str]) -> str:
        word = match.group()
        if word in known:
            return known[word]
        low = word.lower()
        is_number = word[0].isdigit() or low in NUMBERS or parse_ordinal(low) is not None
        return "NUMBER" if is_number else word

    def mask(text: str) -> str:
        masked = WORD.sub(mask_word, text)
        for run, placeholder in RUNS:
            masked = run.sub(placeholder, masked)
        return masked

    return mask


def measure(examples: Iterable[Example], mask: Callable[[str], str]) -> dict[str, Any]:
    """Different masked prompts, and the skeletons that stand in most prompts (each counted once a prompt)."""
    prompts: set[int] = set()  # hashes of 64 bits: 10^6 of them are all different but for a chance of 10^-7
    sentences: Counter[str] = Counter()
    n = 0
    for example in examples:
        n += 1
        masked = [mask(message.content) for message in example.prompt]
        prompts.add(hash(tuple(masked)))
        sentences.update({s for text in masked for s in SENTENCE_END.split(text)})
    top = [{"skeleton": text, "share": count / n} for text, count in sentences.most_common(5)]
    return {"prompts": n, "distinct": len(prompts), "sentences": len(sentences), "top": top}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=150_000)
    parser.add_argument("--worlds", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--split", default="train", choices=("train", "validation", "test"))
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if arguments.prompts < 1:
        parser.error(f"--prompts must be at least 1, got {arguments.prompts}")
    found = {}
    for world in arguments.worlds:
        task: Any = load_task(world, split=arguments.split)
        n = min(arguments.prompts, len(task))
        found[world] = figures = measure((task[i] for i in range(n)), make_mask(world))
        short = "" if figures["distinct"] >= AIM_DISTINCT or n < AIM_DISTINCT else "  short of the aim"
        print(f"{world}: {figures['distinct']:,} of {n:,} prompts are different{short}")
        for row in figures["top"]:
            over = "  more than aimed at" if row["share"] > AIM_SHARE else ""
            print(f"  {row['share']:7.3%}  {row['skeleton']}{over}", flush=True)
    if arguments.json:
        from textgym.agents.runs import versions

        print(json.dumps({"figures": found, "settings": vars(arguments), "versions": versions()}))


if __name__ == "__main__":
    main()
