"""The documentation is run: each Python block, and every command as far as its options go.

The blocks of a page share one namespace and run in a temporary folder that has the repository's `examples/`. The line
before a block may say otherwise:

    <!-- test: ci -->                    slow, over ten seconds: only `make ci` runs it
    <!-- test: skip because REASON -->   cannot run here at all

The site itself is built strictly (`make ci`): a broken link or anchor is an error, and no page loads anything from
elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from textgym.commands import table
from textgym.models.tokenizer import EMBEDDED

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SKIPPED = re.compile(r"skip because \w.{4,}")
Capture = pytest.CaptureFixture[str]
Helps = Callable[[tuple[str, ...]], str]  # words of a command -> what its --help prints
BLOCK = re.compile(r"(?:^<!-- test: (?P<mark>.*?) -->\n+)?^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```", re.M | re.S)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    mark: str  # "", "ci" or "skip because …"
    line: int  # of its first line of code


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for m in BLOCK.finditer(text):
        found.append(Block(m["language"], m["code"], m["mark"] or "", text.count("\n", 0, m.start("code")) + 1))
    return found


def python_of(page: Path) -> list[Block]:
    return [b for b in blocks_of(page) if b.language == "python" and not b.mark.startswith("skip")]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_page(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, with_slow: bool) -> Iterator[Block]:
    """Runs a page's blocks in order, in one namespace, and yields each; errors name the page's own lines."""
    if not EMBEDDED.exists():
        pytest.skip("the embedded assets are not built: make assets")
    (folder / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(folder)
    namespace: dict[str, object] = {"__name__": "__page__"}
    for block in python_of(page):
        if with_slow or block.mark != "ci":
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)
            yield block


WITH_PYTHON = [p for p in PAGES if any(b.mark != "ci" for b in python_of(p))]
# README's slow block, the whole path, is run and looked at in test_whole_path.py.
WITH_SLOW_PYTHON = [p for p in PAGES if p.name != "README.md" and any(b.mark == "ci" for b in python_of(p))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for block in run_page(page, tmp_path, monkeypatch, with_slow=False):
        shown = capsys.readouterr().out.strip()
        assert shown or page.name != "README.md", f"the block at line {block.line} shows nothing"


@pytest.mark.ci
@pytest.mark.parametrize("page", WITH_SLOW_PYTHON, ids=name_of)
def test_slow_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(run_page(page, tmp_path, monkeypatch, with_slow=True))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_marks_are_known_and_stand_before_a_block(page: Path) -> None:
    marks = [b.mark for b in blocks_of(page) if b.mark]
    assert len(marks) == page.read_text(encoding="utf-8").count("<!-- test:")
    assert [m for m in marks if m != "ci" and not SKIPPED.fullmatch(m)] == []


def test_a_block_that_fails_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner itself: order, one namespace, the line of an error, marks."""
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```python\nx = 1\n```\n\n<!-- test: ci -->\n```python\n1 / 0\n```\n\n```python\nx += y\n```\n"
    )
    (tmp_path / "a").mkdir()
    with pytest.raises(NameError, match="y") as found:
        list(run_page(page, tmp_path / "a", monkeypatch, with_slow=False))
    assert found.traceback[-1].lineno + 1 == 13
    (tmp_path / "b").mkdir()
    with pytest.raises(ZeroDivisionError):
        list(run_page(page, tmp_path / "b", monkeypatch, with_slow=True))


# -- commands ---------------------------------------------------------------------------------


def commands_of(page: Path) -> list[list[str]]:
    """The commands of shell blocks, "# or:" ones included, and of the running text, in words."""
    blocks = blocks_of(page)
    shell = "\n".join(b.code for b in blocks if b.language == "sh").replace("\\\n", " ")
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    lines = re.split(r"\n|&&|# or:", shell) + re.findall(r"`([^`\n]+)`", prose)
    split = [shlex.split(line, comments=True) for line in lines if line.count("'") % 2 == line.count('"') % 2 == 0]
    bare = [[w.removeprefix(".venv/bin/") for w in words if not re.match(r"[A-Z_]+=", w)] for words in split]
    return [words for words in bare if len(words) > 1 and words[0] in ("textgym", "python", "python3", "torchrun")]


def options_of(words: list[str], help_of: Helps) -> set[str] | None:
    """The options a command has; None for other people's programs; fails where there is no such command."""
    if words[0] == "torchrun":
        return options_of(["textgym", *words[words.index("textgym.cli") + 1 :]], help_of)
    if words[0] != "textgym" and words[1].endswith(".py"):
        return {"--help", *re.findall(r'"(--[a-z-]+)"', (ROOT / words[1]).read_text(encoding="utf-8"))}
    if words[0] != "textgym":
        if words[:3] != [words[0], "-m", "agents"]:
            return None
        words = ["textgym", "train", *words[3:]]
    if words[1].startswith("--"):  # `textgym --version`
        return set(re.findall(r'"(--[a-z-]+)"', (ROOT / "textgym" / "cli.py").read_text(encoding="utf-8")))
    words = words[1 : 3 if words[1] in GROUPS else 2]
    if words[-1].isupper():  # `textgym train NAME` stands for any
        return None
    also = {"train": ["--config"]}.get(words[0], [])  # read before tyro sees the rest
    return {"--help", *also, *re.findall(r"--[a-z][a-z-]*", help_of(tuple(words)))}


GROUPS = {"train", *(name for name, entry in table.COMMANDS.items() if isinstance(entry, table.Group))}


@pytest.fixture(scope="module")
def help_of() -> Helps:
    from textgym import cli

    @functools.cache
    def told(words: tuple[str, ...]) -> str:
        out, err = io.StringIO(), io.StringIO()
        code: object = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main([*words, "--help"])
            except SystemExit as ended:
                code = ended.code
        assert code in (0, None), f"textgym {' '.join(words)}: {err.getvalue()}"
        return out.getvalue()

    return told


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist_with_their_options(page: Path, help_of: Helps) -> None:
    for words in commands_of(page):
        own = words[words.index("textgym.cli") :] if words[0] == "torchrun" else words
        known = options_of(words, help_of)
        if known is not None:
            assert {w.partition("=")[0] for w in own if w.startswith("--")} <= known, " ".join(words)


def test_commands_are_found_and_unknown_options_noticed(help_of: Helps, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`textgym list` and\n\n```sh\nX=1 textgym train ppo \\\n  --seed 1   # more\n```\n")
    assert commands_of(page) == [["textgym", "train", "ppo", "--seed", "1"], ["textgym", "list"]]
    known = options_of(["textgym", "train", "ppo"], help_of)
    assert known is not None
    assert {"--seed", "--kl-coef"} <= known
    assert "--sed" not in known
    with pytest.raises(AssertionError, match="frobnicate"):
        options_of(["textgym", "frobnicate"], help_of)
    assert sum(len(commands_of(p)) for p in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_to_files(page: Path) -> None:
    """As they are read on a code host; the site's own links, anchors and all, are held by the strict build."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        assert "://" in link or (page.parent / link).exists(), link


# -- the site ---------------------------------------------------------------------------------


class _Sources(HTMLParser):
    """What a page loads by itself: scripts, styles, pictures, frames."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        loads = given.get("src") if tag != "link" else given.get("href") if given.get("rel") != "canonical" else None
        if loads:
            self.found.append(loads)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    start = time.perf_counter()
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(build, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    print(f"the site was built in {time.perf_counter() - start:.0f} s")
    return folder


@pytest.mark.ci
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        sources = _Sources()
        sources.feed(page.read_text(encoding="utf-8"))
        assert sources.found, page
        assert [s for s in sources.found if re.match(r"(https?:)?//", s)] == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:|@import", style.read_text(encoding="utf-8")), style


@pytest.mark.ci
def test_each_environment_has_its_page(site: Path) -> None:
    headings = ["Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End"]
    headings += ["Information", "Arguments", "Version History", "A Rendered Episode"]
    for world in ("summarize", "translate", "dialogue"):
        text = (site / "environments" / f"{world}.html").read_text(encoding="utf-8")
        places = [text.find(f'<h2 id="{heading.lower().replace(" ", "-")}"') for heading in headings]
        assert places == sorted(places)
        assert places[0] > 0
        assert "Discrete(" in text
        assert "score of the learned reward model" in text


@pytest.mark.ci
def test_every_public_docstring_is_in_the_reference(site: Path) -> None:
    """Names with a docstring in a few modules of each floor."""
    known = {m for page in (site / "api").glob("*.html") for m in re.findall(r'id="(textgym[\w.]+)"', page.read_text())}
    modules = ("types", "envs.ids", "wrappers.limits", "rewards.learned", "tasks.base", "models.generate")
    modules += ("feedback.agreement", "agents.estimators", "agents.ppo_config", "sb3")
    held = 0
    for name in modules:
        module = importlib.import_module(f"textgym.{name}")
        for attribute, value in vars(module).items():
            is_own = getattr(value, "__module__", None) == module.__name__ and inspect.getdoc(value)
            if is_own and not attribute.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)):
                assert f"{module.__name__}.{attribute}" in known
                held += 1
    assert held > 30


@pytest.mark.ci
def test_every_command_is_in_the_reference(site: Path) -> None:
    from textgym.agents import commands

    text = (site / "cli.html").read_text(encoding="utf-8")
    for words in ("list", "sample", "play", "doctor", "evaluate", "feedback serve", "reward train"):
        assert f'id="textgym-{words.replace(" ", "-")}"' in text
    for name in commands.COMMANDS:
        assert f'id="textgym-train-{name}"' in text
    assert "--kl-coef" in text
