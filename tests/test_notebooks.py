"""The notebooks: each runs from top to bottom, its exercise has a solution that works, its committed form is clean.

The runs take seconds to a minute each and belong to `make ci`; the looks at the files are quick.
"""

from __future__ import annotations

import base64
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
_spec = importlib.util.spec_from_file_location("notebooks_execute", FOLDER / "execute.py")
assert _spec is not None
assert _spec.loader is not None
execute: Any = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = execute
_spec.loader.exec_module(execute)

PATHS = execute.paths()
PNG_BYTES, NOTEBOOK_BYTES = 60_000, 400_000
every_notebook = pytest.mark.parametrize("path", PATHS, ids=[p.stem for p in PATHS])


def code_cells(notebook: Any) -> list[Any]:
    return [c for c in notebook.cells if c.cell_type == "code"]


def outputs(notebook: Any) -> list[Any]:
    return [o for c in code_cells(notebook) for o in c.outputs]


def pictures(notebook: Any) -> list[str]:
    """PNGs in base64."""
    return [o.data["image/png"] for o in outputs(notebook) if "image/png" in o.get("data", {})]


def texts(notebook: Any) -> list[str]:
    """What the outputs say in words."""
    found = [o.get("text", "") for o in outputs(notebook)]
    return found + [str(o.data.get("text/plain", "")) for o in outputs(notebook) if "data" in o]


@pytest.mark.ci
@every_notebook
def test_it_runs_at_toy_size_with_its_solutions(path: Path) -> None:
    ran = execute.run_toy(path)
    assert [o for o in outputs(ran) if o.output_type == "error"] == []
    assert len(pictures(ran)) >= len(pictures(execute.read(path)))


@every_notebook
def test_it_is_committed_as_one_clean_run_left_it(path: Path) -> None:
    notebook = execute.read(path)
    nbformat.validate(notebook)
    assert [c.execution_count for c in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert [o for o in outputs(notebook) if o.output_type == "error" or o.get("name") == "stderr"] == []
    again = execute.read(path)
    execute.clean(again)
    assert again == notebook, "run notebooks/execute.py"
    written = path.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.$}])/(?:home|root|Users|tmp|var|mnt|opt|work|content)/[\w.]+", written) == []
    assert [t for t in texts(notebook) if re.search(r" at 0x[0-9a-f]+", t)] == []


@every_notebook
def test_it_is_small(path: Path) -> None:
    sizes = [len(base64.b64decode(png)) for png in pictures(execute.read(path))]
    assert sizes, "a notebook has a picture"
    assert max(sizes) <= PNG_BYTES
    assert path.stat().st_size <= NOTEBOOK_BYTES


@every_notebook
def test_it_has_a_title_a_badge_sizes_and_an_exercise(path: Path) -> None:
    notebook = execute.read(path)
    first, install = notebook.cells[0].source, notebook.cells[1].source
    assert re.match(rf"# {path.name[:2]} · ", first)
    assert re.search(rf"\[!\[Open in Colab\]\(\S+\)\]\(https://colab\.research\.google\.com/\S+/{path.name}\)", first)
    assert 'find_spec("textgym") is None' in install
    assert "%pip install" in install
    sizes, toy = execute.parameters(notebook), notebook.metadata["textgym"]["toy"]
    assert toy
    assert set(toy) <= set(sizes)
    exercises = [c for c in notebook.cells if re.match(r"## Exercise", c.source)]
    assert exercises
    for cell in exercises:
        assert execute.solutions(cell)
        assert all("assert" in code for code in execute.solutions(cell))


@every_notebook
def test_it_imports_only_what_its_readers_have(path: Path) -> None:
    """textgym, what it needs, and what the extra `notebooks` brings; no file that lies beside the notebook."""
    source = "\n".join(c.source for c in code_cells(execute.read(path)))
    names = set(re.findall(r"^\s*(?:from|import) (\w+)", source, flags=re.MULTILINE))
    needed = {"textgym", "gymnasium", "numpy", "torch", "transformers", "tokenizers"}
    theirs = {*needed, "matplotlib", "cycler", "ipywidgets", "IPython", "stable_baselines3"}
    assert names - theirs - set(sys.stdlib_module_names) == set()


def test_the_readme_lists_them() -> None:
    listed = re.findall(r"\]\(([0-9]{2}_\w+\.ipynb)\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert listed == [p.name for p in PATHS]


def small_notebook() -> Any:
    """Two sizes, a line that uses one, an exercise."""
    new = nbformat.v4
    sizes = new.new_code_cell("UPDATES = 40  # of the policy\nSEED = 0", metadata={"tags": ["parameters"]})
    exercise = "## Exercise\n\nDouble it.\n\n<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
    cells = [sizes, new.new_code_cell("print(UPDATES)"), new.new_markdown_cell(exercise)]
    return new.new_notebook(cells=cells, metadata={"textgym": {"toy": {"UPDATES": 2}}})


def written(notebook: Any, folder: Path, solution: str) -> Path:
    notebook.cells[-1].source = notebook.cells[-1].source.format(solution)
    nbformat.write(notebook, folder / "00_small.ipynb")
    return folder / "00_small.ipynb"


@pytest.mark.ci
def test_toy_sizes_reach_the_cells_and_the_solution(tmp_path: Path) -> None:
    ran = execute.run_toy(written(small_notebook(), tmp_path, "assert UPDATES == 2"))
    assert "2\n" in texts(ran)


@pytest.mark.ci
@pytest.mark.parametrize(
    "wrong", ["assert UPDATES == 40", "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=1)"]
)
def test_a_wrong_solution_and_a_look_at_the_network_fail(wrong: str, tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match=r"AssertionError|must not need the network"):
        execute.run_toy(written(small_notebook(), tmp_path, wrong))


def test_sizes_are_literals_and_toy_sizes_are_among_them() -> None:
    notebook = small_notebook()
    assert execute.parameters(notebook) == {"UPDATES": 40, "SEED": 0}
    notebook.metadata["textgym"]["toy"]["EPOCHS"] = 1
    with pytest.raises(ValueError, match=r"'EPOCHS'.* not in the parameters cell"):
        execute.shrink(notebook)
    notebook.cells[0].source = "UPDATES += 1"
    with pytest.raises(ValueError, match="NAME = value"):
        execute.parameters(notebook)


def test_a_name_that_no_notebook_has_is_refused() -> None:
    with pytest.raises(ValueError, match="'99'"):
        execute.paths(["99"])


def test_cleaning_leaves_tags_sizes_and_outputs() -> None:
    notebook = small_notebook()
    notebook.metadata["language_info"] = {"name": "python", "version": "3.99"}
    notebook.cells[0].metadata["execution"] = {"iopub.busy": "now"}
    view = {"text/plain": "Button()", "application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    notebook.cells[1].outputs = [nbformat.v4.new_output("display_data", view, metadata={"needs_background": "light"})]
    execute.clean(notebook)
    assert notebook.metadata["textgym"] == {"toy": {"UPDATES": 2}}
    assert notebook.metadata["language_info"] == {"name": "python"}
    assert notebook.cells[0].metadata == {"tags": ["parameters"]}
    assert notebook.cells[1].outputs[0].data == {"text/plain": "Button()"}
    assert notebook.cells[1].outputs[0].metadata == {}
