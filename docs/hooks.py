"""What mkdocs makes at build time, so that no page repeats what the code says.

- a page for each environment: its manual (the class docstring), its spaces and sizes as `gym.make` gives them, and an
  episode that the embedded policy plays while the site is built;
- the command line, from `--help` of every command;
- the API, a page for each package, from its docstrings (mkdocstrings reads them without importing anything);
- the notebooks with the outputs that are committed in them;
- results, changes and how to contribute, from the files at the root of the repository.

Left out: running notebooks (tests/test_notebooks.py does), and links to source files, which are named and not linked,
because the project has no public address yet.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import notebook_pages  # beside this file, where mkdocs lets a hook look
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "build" / "docs-source"  # what mkdocstrings reads
WIDTH = 96  # characters of a line in a block of text
PACKAGES = ("envs", "wrappers", "rewards", "tasks", "models", "feedback", "agents", "serve")
EPISODE = {"index": 3}  # of the test split
WIDE = "---\nhide:\n  - toc\n---\n\n"  # a page whose tables need the room

# A file of the repository, as a page may link to it -> the page of the site that is made from it. On a code host the
# link leads to the file.
MADE_FROM = {
    "README.md#results": "results.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "notebooks/README.md": "notebooks/index.md",
    "textgym/envs/ids.py": "environments/index.md",
    "agents/estimators.py": "api/textgym.agents.md",
}

Page = Callable[[], "str | bytes"]


def on_startup(command: str, dirty: bool) -> None:
    """Lays the sources out as they are installed: agents inside textgym."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    unread = shutil.ignore_patterns("__pycache__", "assets", "static", "templates", "guides")
    shutil.copytree(ROOT / "textgym", SOURCE / "textgym", ignore=unread)
    shutil.copytree(ROOT / "agents", SOURCE / "textgym" / "agents", ignore=unread)


def on_config(config: Any) -> Any:
    """Puts the pages made here, and pages that nobody named, into the navigation."""
    for section in config.nav:
        for title, entries in section.items():
            if isinstance(entries, list):
                section[title] = [made for entry in entries for made in _expand(entry)]
    guides = next(section["Guides"] for section in config.nav if "Guides" in section)
    named = set(re.findall(r"[\w/]+\.md", str(config.nav)))
    guides += sorted(p.name for p in (ROOT / "docs").glob("*.md") if p.name not in named)
    return config


def on_files(files: Files, config: Any) -> Files:
    made = pages()
    _Mended.made = frozenset(made)
    for name, make in made.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links from docs/ to files of the repository become links to the pages made from them, or names of files."""
    here = Path(page.file.src_uri).parent
    return "".join(
        part if part.startswith(("```", "~~~")) else re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", _Mended(here), part)
        for part in re.split(r"(^(?:```|~~~).*?^(?:```|~~~)$)", markdown, flags=re.DOTALL | re.MULTILINE)
    )


# -- pages ------------------------------------------------------------------------------------


def pages() -> dict[str, Page]:
    """Name in the site -> what makes its content."""
    made: dict[str, Page] = {"environments/index.md": environments, "cli.md": command_line}
    made |= {f"environments/{world}.md": lambda env_id=env_id: environment(env_id) for env_id, world in worlds()}
    made |= {f"api/{name}.md": lambda name=name: api(name) for name in api_pages()}
    made |= {"results.md": results, "changelog.md": lambda: from_root("CHANGELOG.md")}
    made |= {"contributing.md": lambda: from_root("CONTRIBUTING.md"), "notebooks/index.md": notebooks}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        made[f"notebooks/{path.stem}.md"] = lambda path=path, cells=cells: notebook_pages.page(path.stem, cells)
        for name, image in notebook_pages.pictures(path.stem, cells):
            made[f"notebooks/{name}"] = lambda image=image: image
    return made


def _expand(entry: Any) -> list[Any]:
    """The pages behind a name that ends in a slash, the index first."""
    if not (isinstance(entry, str) and entry.endswith("/")):
        return [entry]
    found = [name for name in pages() if name.startswith(entry) and name.endswith(".md")]
    return sorted(found, key=lambda name: not name.endswith("index.md"))


def from_root(name: str) -> str:
    """A file beside README.md; its links are those of a page at the top of docs/."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text.replace("](docs/", "](").replace("](README.md#results)", "](results.md)")


def results() -> str:
    """The README's results, which stand there only."""
    return from_root("README.md").split("\n## Results\n")[1].split("\n## ")[0].join((WIDE + "# Results\n", "\n"))


def worlds() -> list[tuple[str, str]]:
    """(id, "summarize") of each environment."""
    from textgym import ENV_IDS
    from textgym.envs import ids

    own = [env_id for env_id, name in ENV_IDS.items() if hasattr(ids, name)]  # a remote environment has no world
    return [(env_id, env_id.partition("/")[2].rpartition("-")[0].lower()) for env_id in own]


def manual(env_id: str) -> tuple[str, str]:
    """First line and rest of an environment's docstring."""
    from textgym import ENV_IDS
    from textgym.envs import ids

    first, _, rest = textwrap.dedent("    " + getattr(ids, ENV_IDS[env_id]).__doc__).strip().partition("\n\n")
    return first, rest


def environments() -> str:
    rows = [f"| [{env_id}]({world}.md) | {manual(env_id)[0]} |" for env_id, world in worlds()]
    intro = """
        # Environments

        Each id is a Gymnasium environment with two doors: a step is a token (`action="token"`, the default) or a
        whole turn (`action="response"`). `gym.make_vec` steps many conversations at once.
        The pages below are the docstrings of the classes; spaces and sizes were read off the environments, and the
        episodes were played, when this site was built. [The embedded worlds](../worlds.md) shows examples and what
        the gold score is made of.
        """
    return "\n".join([textwrap.dedent(intro).strip(), "", "| id | what the policy does |", "|---|---|", *rows])


def environment(env_id: str) -> str:
    """The manual, the spaces, an episode."""
    first, rest = manual(env_id)
    title = env_id.partition("/")[2].rpartition("-")[0]
    parts = [f"# {title}", first, f'```python\ngym.make("{env_id}")\n```', _spaces(env_id), rest]
    return "\n\n".join([*parts, "## A Rendered Episode", _episode(env_id)])


def _spaces(env_id: str) -> str:
    import gymnasium as gym

    from textgym.envs.arguments import WORLDS

    sizes = WORLDS[dict(worlds())[env_id]]
    token, text = (gym.make(env_id, action=action) for action in ("token", "response"))
    rows = [("", '`action="token"`', '`action="response"`'), ("---", "---", "---")]
    for space in ("action_space", "observation_space"):
        rows.append((space.replace("_", " "), f"`{getattr(token, space)}`", f"`{getattr(text, space)}`"))
    named = [f"`{name}` {getattr(sizes, name)}" for name in ("context_length", "max_new_tokens", "max_turns")]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\nDefault sizes: {', '.join(named)}. Default reward: the learned reward model of this id."


def _episode(env_id: str) -> str:
    """What the embedded policy says, greedily, and what it is worth."""
    import gymnasium as gym

    from textgym.envs.arguments import WORLDS
    from textgym.models.generate import generate
    from textgym.models.language_model import forbidden_tokens, load_language_model

    env: Any = gym.make(env_id, render_mode="ansi", split="test")
    tokenizer, model = env.unwrapped.tokenizer, load_language_model("embedded")
    limits = {"max_new_tokens": WORLDS[dict(worlds())[env_id]].max_new_tokens, "end_of_turn": tokenizer.end_of_turn}
    observation, info = env.reset(seed=0, options=EPISODE)
    done = False
    while not done:
        prompt = [observation[observation >= 0].tolist()]
        forbidden = forbidden_tokens(model, tokenizer)
        for token in generate(model, prompt, forbidden=forbidden, temperature=0, **limits).tokens[0]:
            observation, _, terminated, truncated, info = env.step(token)
            done = terminated or truncated
    shown = "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="    ") for line in env.render().splitlines())
    parts = ", ".join(f"{name} {value:.2f}" for name, value in info["gold_components"].items())
    return (
        f"`env.render()` at the end of an episode of the embedded policy (greedy, test example {EPISODE['index']}, "
        f"`reset(seed=0)`):\n\n```text\n{shown}\n```\n\n"
        f"| ending | score of the learned reward model | gold | its components |\n|---|---|---|---|\n"
        f'| `"{info["ending"]}"` | {info["score"]:.2f} | {info["gold"]:.2f} | {parts} |'
    )


def command_line() -> str:
    """`--help` of every command."""
    from textgym.agents import commands as agents
    from textgym.commands import table

    known: list[list[str]] = [[]]
    for name, entry in table.COMMANDS.items():
        known += [[name, *more] for more in ([], *([word] for word in getattr(entry, "commands", ())))]
    known += [["train", *more] for more in ([], *([name] for name in agents.COMMANDS))]
    lines = ["# Command line", "", "What each command prints with `--help`.", ""]
    for words in known:
        lines += [f"## {' '.join(['textgym', *words])}", "", f"```text\n{help_of(words)}\n```", ""]
    return "\n".join(lines)


def help_of(words: list[str]) -> str:
    """What `textgym WORDS --help` prints, without colours."""
    from textgym import cli

    told = io.StringIO()
    plain = {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    with mock.patch.dict(os.environ, plain), contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
        cli.main([*words, "--help"])
    return re.sub(r"\x1b\[[\d;]*m", "", told.getvalue()).rstrip()


def api_pages() -> list[str]:
    """Names of the pages: textgym, then its packages, then what stands in one file of its own."""
    present = [name for name in PACKAGES if (ROOT / "textgym" / name).is_dir() or name == "agents"]
    return ["textgym", *(f"textgym.{name}" for name in present), "textgym.sb3"]


def api(name: str) -> str:
    """One page: what the package hands on, then its modules."""
    folder = ROOT / "agents" if name == "textgym.agents" else ROOT.joinpath(*name.split("."))
    if folder.is_dir() and name != "textgym":
        paths = (path.relative_to(folder).with_suffix("") for path in sorted(folder.rglob("*.py")))
        modules = [".".join([name, *path.parts]) for path in paths]
    elif name == "textgym":
        modules = [f"textgym.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem not in ("sb3", "cli")]
    else:
        modules = [name]
    shown = [m for m in modules if not m.rpartition(".")[2].startswith("_")]
    return "\n".join([f"# {name}", "", *(_directive(module) for module in shown)])


def _directive(module: str) -> str:
    """A module for mkdocstrings; configs with their source, because the comment of a field is its documentation."""
    return f"::: {module}\n" + ("    options:\n      show_source: true\n" if module.endswith("_config") else "")


def notebooks() -> str:
    readme = ROOT / "notebooks" / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else "# Notebooks\n\nNone are written yet.\n"
    return text.replace(".ipynb)", ".md)")


class _Mended:
    """A link of a page in `here`, as the site can follow it."""

    made: frozenset[str] = frozenset()  # names of the pages that are made here, once they are known

    def __init__(self, here: Path) -> None:
        self.here = here

    def __call__(self, link: re.Match[str]) -> str:
        mark, text, target = link.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path or mark:
            return link[0]
        inside = Path(os.path.normpath(self.here / path)).as_posix()
        if inside in self.made or (not inside.startswith("..") and (ROOT / "docs" / inside).is_file()):
            return link[0]
        source = inside.removeprefix("../")
        if f"{source}#{anchor}" in MADE_FROM:
            return f"[{text}]({os.path.relpath(MADE_FROM[f'{source}#{anchor}'], self.here)})"
        if source in MADE_FROM:
            place = os.path.relpath(MADE_FROM[source], self.here)
            return f"[{text}]({place}#{anchor})" if anchor else f"[{text}]({place})"
        return text
