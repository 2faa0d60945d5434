"""The house's own laws: imports go down, importing is cheap, `__init__` files define nothing.

The floors are those of CONTRIBUTING.md. They are read from the source, imports inside functions
included, so a circle cannot hide in a lazy import.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS: dict[str, float] = {  # a unit: a package, or a module that stands alone
    "textgym.cli": 8,
    "textgym.commands": 7.5,
    "textgym.agents": 7,
    "textgym.serve": 6,
    "textgym.play": 6,
    "textgym.sb3": 6.5,  # stands on the wrappers
    "textgym.wrappers": 6,
    "textgym": 5.5,  # registers the ids, so what the envs stand on must not import it
    "textgym.envs": 5,
    "textgym.rewards": 4,
    "textgym.feedback": 3,
    "textgym.tasks": 3,
    "textgym.models": 2,
    "textgym.messages": 1.5,  # reads the records of types.py
}
LEAF = 1.0  # any other module directly in textgym
THIRD_PARTY: dict[str, str] = {  # import name -> distribution, where they differ
    "rouge_score": "rouge-score",
    "stable_baselines3": "stable-baselines3",
    "sb3_contrib": "sb3-contrib",
    "yaml": "pyyaml",
}
FILES = sorted([*(ROOT / "textgym").rglob("*.py"), *(ROOT / "agents").rglob("*.py")])
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("textgym", *parts) if parts[0] == "agents" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2])


def floor_of(unit: str) -> float:
    return FLOORS.get(unit, LEAF)


def imports_of(path: Path) -> Iterator[tuple[str, ast.stmt, bool]]:
    """(absolute module, statement, whether it is at the top level of the file), submodules resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                is_module = module.startswith("textgym") and _is_module(f"{module}.{alias.name}")
                yield (f"{module}.{alias.name}" if is_module else module), node, id(node) in top


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.replace("textgym.agents", "agents", 1).split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def upward_imports(files: list[Path]) -> list[str]:
    wrong = []
    for path in files:
        unit = unit_of(module_of(path))
        for module, node, is_top in imports_of(path):
            if module.split(".")[0] not in ("textgym", "agents"):
                continue
            target = unit_of(module)
            where = f"{path.relative_to(ROOT)}:{node.lineno} imports {module}"
            if module.split(".")[0] == "agents":
                wrong.append(f"{where}, whose name is textgym.agents")
            elif target == "textgym.agents" and unit not in ("textgym.agents", "textgym.commands", "textgym.cli"):
                wrong.append(f"{where}: only the command line may")
            elif target == "textgym.agents" and unit != "textgym.agents" and is_top:
                wrong.append(f"{where} before an agent is asked for")
            elif (unit, target) == ("textgym.agents", "textgym.cli") and path.name == "__main__.py":
                continue  # `python -m agents` is the command line
            elif target != unit and floor_of(target) >= floor_of(unit):
                wrong.append(f"{where}: floor {floor_of(unit):g} from floor {floor_of(target):g}")
    return wrong


def test_imports_go_down_only() -> None:
    assert len(FILES) > 30
    assert upward_imports(FILES) == []


def test_the_walk_sees_imports_inside_functions() -> None:
    found = {(module, is_top) for module, _, is_top in imports_of(ROOT / "textgym" / "cli.py")}
    assert ("textgym.agents.commands", False) in found
    relative = {module for module, _, _ in imports_of(ROOT / "agents" / "ppo.py")}
    assert "textgym.agents.estimators" in relative


def test_every_third_party_import_is_declared() -> None:
    project = PYPROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[\s<>=!\[;]", line)[0].lower() for group in groups for line in group}
    known = set(sys.stdlib_module_names) | {"textgym"}
    undeclared = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in FILES
        for name in (module.split(".")[0] for module, _, _ in imports_of(path))
        if name not in known and THIRD_PARTY.get(name, name).lower() not in declared
    }
    assert undeclared == set()


def modules_loaded_by(statement: str) -> set[str]:
    """The modules that a statement loads in a fresh interpreter where gymnasium and numpy are loaded already."""
    code = f"import sys, gymnasium, numpy; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_import_textgym_is_cheap() -> None:
    """It registers the ids: a few files of our own, nothing installed but what gymnasium and numpy brought."""
    loaded = modules_loaded_by("import textgym")
    own = {m for m in loaded if m.partition(".")[0] == "textgym"}
    assert {m.partition(".")[0] for m in loaded - own} <= set(sys.stdlib_module_names)
    assert own <= {"textgym", "textgym.types", "textgym.envs", "textgym.envs.registration"}


def test_init_files_hand_names_on_and_define_nothing() -> None:
    allowed = (ast.Import, ast.ImportFrom)
    for path in (p for p in FILES if p.name == "__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_all = isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]
            registers = module_of(path) == "textgym" and ast.unparse(node) == "register_envs()"
            assert isinstance(node, allowed) or is_docstring or is_all or registers, f"{path}:{node.lineno}"


def test_files_are_as_short_as_contributing_says() -> None:
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in FILES]
    assert sum(n <= 300 for n in lines) >= 0.7 * len(lines)
    assert max(lines) < 1000


def test_every_package_is_in_the_wheel() -> None:
    folders = {module_of(p) for p in FILES if p.name == "__init__.py"}
    without = {module_of(p).rpartition(".")[0] for p in FILES if p.name != "__init__.py"} - folders - {""}
    assert without == set(), "folders of modules without an __init__.py"
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == folders
    assert {"py.typed", "assets/**/*"} <= set(PYPROJECT["tool"]["setuptools"]["package-data"]["textgym"])
    assert (ROOT / "textgym" / "py.typed").exists()


def test_no_file_names_a_path_of_a_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout, so what is tracked is unknown")
    pattern = re.compile(rb"(?<![\w.$}])/(?:home|root|Users|work|mnt|opt)/[\w.]+")
    wrong = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            wrong += [f"{name}: {found.decode('utf-8', 'replace')}" for found in pattern.findall(path.read_bytes())]
    assert wrong == []
