"""What a user installs: the wheel and the sdist, in a clean environment, with the required dependencies only, then with
each extra. Slow, and pip needs an index: all but the lists of versions belong to `make ci`.

An extra is tried in an environment of its own that sees the one with the required dependencies, so torch is installed
once. `make ci` gives a whole file to one process, so the wheel is built once, too. What is not tested: other operating
systems, and other Pythons than the one that runs the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", "build", "dist", "runs", "*.egg-info", "__pycache__", ".*_cache")

EXTRAS: dict[str, str] = {  # extra -> a program that uses what it promises
    "sb3": "from textgym.sb3 import LanguageModelPolicy, VecEnv; import sb3_contrib",
    "data": """
import gymnasium as gym, textgym, pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table({"document": ["A bus stops."], "summary": ["It stops."]}), "rows.parquet")
for reward in ("rougeL", "chrf", "bleu"):
    env = gym.make("textgym/Summarize-v0", data="rows.parquet", reward=reward, action="response")
    env.reset(seed=0)
    assert env.step("It stops.")[1] > 0.9
import datasets
""",
    "train": """
import peft, tensorboard, matplotlib
from textgym.cli import main
try:
    main(["train", "ppo", "--help"])
except SystemExit as ended:
    assert not ended.code
""",
    "feedback": """
from textgym.cli import main
from textgym.feedback.store import Store
import textgym.feedback.site.server
Store("feedback.db")
open("judged.jsonl", "w").write('{"prompt": "p", "chosen": "a", "rejected": "b"}\\n')
assert main(["feedback", "import", "judged.jsonl"]) == 0
assert main(["feedback", "report", "--json"]) == 0
""",
    "serve": "import textgym.serve.server",
    "notebooks": "import jupyterlab; import textgym.feedback.widget, ipywidgets, textgym.sb3, sacrebleu",
    "docs": "import mkdocs, material, mkdocstrings_handlers.python",
}
LACKING: dict[str, tuple[str, str]] = {  # what is asked for -> (program, the extra that the error must name)
    "an agent": ('sys.exit(main(["train", "ppo"]))', "train"),
    "a command's options": ('sys.exit(main(["sample", "--n", "1"]))', "train"),
    "ROUGE": ('gym.make("textgym/Summarize-v0", reward="rougeL")', "data"),
    "BLEU": ('gym.make("textgym/Summarize-v0", reward="bleu")', "data"),
    "Parquet": (
        'open("x.parquet", "w").write("PAR1"); gym.make("textgym/Summarize-v0", data="x.parquet", reward=0.0)',
        "data",
    ),
    "a dataset's name": ('gym.make("textgym/Summarize-v0", data="somebody/something", reward=0.0)', "data"),
    "LoRA": ("from textgym.models.lora import add_lora; add_lora(None, 8)", "train"),
    "Stable-Baselines3": ("import textgym.sb3", "sb3"),
}


def run(*command: str | Path, folder: Path, fails: bool = False) -> str:
    """A command's output; an assertion shows it where it should not have failed, or should have."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TEXTGYM"))}
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ran = subprocess.run(list(map(str, command)), cwd=folder, env=kept | quiet, capture_output=True, text=True)
    told = ran.stdout + ran.stderr
    assert (ran.returncode != 0) == fails, f"{' '.join(map(str, command))[:200]}\n{told[-4000:]}"
    return told


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages_of(environment: Path, folder: Path) -> Path:
    return Path(
        run(python_of(environment), "-c", "import site; print(site.getsitepackages()[0])", folder=folder).strip()
    )


# -- versions ---------------------------------------------------------------------------------


def bounds(lines: list[str]) -> dict[str, str]:
    """Package -> the version behind >= or ==."""
    found = (re.match(r"([\w.-]+)(?:\[\w+\])?(?:>=|==)([\w.]+)", line) for line in lines)
    return {m[1]: m[2] for m in found if m}


def test_the_oldest_versions_are_those_that_are_declared() -> None:
    oldest = bounds((ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines())
    assert oldest == bounds(PROJECT["dependencies"])
    assert len(oldest) == len(PROJECT["dependencies"])


def test_what_is_installed_is_as_new_as_is_declared() -> None:
    from importlib.metadata import version

    def numbers(text: str) -> list[int]:
        return [int(n) for n in re.findall(r"\d+", text.partition("+")[0])]

    for name, least in bounds(PROJECT["dependencies"]).items():
        assert numbers(version(name)) >= numbers(least), name


def test_every_extra_has_its_program() -> None:
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"]) - {"all", "dev"}
    sources = [
        path.read_text(encoding="utf-8") for name in ("textgym", "agents") for path in (ROOT / name).rglob("*.py")
    ]
    mentioned = set(re.findall(r"pip install 'textgym\[(\w+)\]'", "".join(sources)))
    assert {"train", "data", "sb3"} <= mentioned <= set(PROJECT["optional-dependencies"])


# -- what is built ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "source", ignore=NOT_SOURCE, symlinks=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "source", folder=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.mark.ci
def test_the_wheel_holds_what_it_needs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"textgym/py.typed", "textgym/assets/manifest.json", "textgym/agents/ppo.py"} <= names
    for folder in ("textgym", "agents"):  # each module and each file of data that the repository has
        files = {p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*") if p.is_file()}
        files = {re.sub("^agents/", "textgym/agents/", f) for f in files if "__pycache__" not in f}
        assert files - names == set()
    assert {name.split("/")[0] for name in names} == {"textgym", f"textgym-{PROJECT['version']}.dist-info"}
    assert [name for name in names if "test" in name.lower() and name.endswith(".py")] == []
    size = wheel.stat().st_size
    assert size < 12e6, size


@pytest.mark.ci
def test_the_sdist_builds_the_same_and_has_no_leftovers(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "agents/ppo.py", "textgym/assets/manifest.json"} <= names
    assert [name for name in names if re.match(r"(\.venv|runs|build|dist)/|.*\.pyc$", name)] == []


# -- what is installed ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and the required dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "env", with_pip=True)
    install = ("-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    run(python_of(folder / "env"), *install, folder=folder)
    return folder / "env"


@pytest.mark.ci
def test_the_required_dependencies_play_every_id(bare: Path, tmp_path: Path) -> None:
    program = """
import sys
import gymnasium as gym, textgym
assert "torch" not in sys.modules and "transformers" not in sys.modules
assert "site-packages" in textgym.__file__
for env_id in [i for i in textgym.ENV_IDS if "Remote" not in i]:
    for action in ("token", "response"):
        env = gym.make(env_id, action=action, max_new_tokens=4)
        env.reset(seed=0)
        done = False
        while not done:
            taken = "Hello." if action == "response" else env.action_space.sample()
            _, reward, terminated, truncated, info = env.step(taken)
            done = terminated or truncated
        assert 0 <= info["gold"] <= 1, env_id
    gym.make_vec(env_id, num_envs=2).reset(seed=0)
"""
    run(python_of(bare), "-c", program, folder=tmp_path)
    told = run(python_of(bare), "-m", "textgym.cli", "list", folder=tmp_path)
    assert "textgym/Dialogue-v0" in told
    assert "textgym" in run(python_of(bare).parent / "textgym", "doctor", folder=tmp_path)
    run(python_of(bare), "-m", "pip", "check", folder=tmp_path)


@pytest.mark.ci
@pytest.mark.parametrize("what", LACKING)
def test_what_is_missing_is_named(bare: Path, tmp_path: Path, what: str) -> None:
    program, extra = LACKING[what]
    start = "import sys, gymnasium as gym, textgym\nfrom textgym.cli import main\n"
    told = run(python_of(bare), "-c", start + program, folder=tmp_path, fails=True)
    assert f"pip install 'textgym[{extra}]'" in told.splitlines()[-1]


@pytest.mark.ci
@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_what_it_promises(bare: Path, wheel: Path, tmp_path: Path, extra: str) -> None:
    environment = tmp_path / "env"
    venv.create(environment, with_pip=True)
    below = site_packages_of(bare, tmp_path)
    (site_packages_of(environment, tmp_path) / "below.pth").write_text(f"{below}\n")
    install = ("-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", f"{wheel}[{extra}]")
    run(python_of(environment), *install, folder=tmp_path)
    run(python_of(environment), "-c", EXTRAS[extra], folder=tmp_path)


@pytest.mark.ci
def test_a_typed_client_passes_a_type_checker(bare: Path, tmp_path: Path) -> None:
    """Against the installed wheel, so py.typed counts; and a mistake in the client is found, and nothing else."""
    client = (ROOT / "tests" / "typed_client.py").read_text(encoding="utf-8")
    (tmp_path / "client.py").write_text(client, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(client.replace("num_updates=2", 'num_updates="two"'), encoding="utf-8")
    check = ("-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "--python-executable", python_of(bare))
    told = run(sys.executable, *check, "client.py", "wrong.py", folder=tmp_path, fails=True).splitlines()
    assert len(told) == 2, told  # the mistake, and mypy's count
    assert re.match(r"wrong\.py:\d+: error: Argument \"num_updates\"", told[0])
