"""Executes the notebooks and writes their outputs back, with nothing of the machine in them.

    python notebooks/execute.py              all, at full size
    python notebooks/execute.py 02 05        those whose names begin so
    python notebooks/execute.py --toy 02     at toy size, with the solutions of its exercises and without a network

A notebook is edited in Jupyter like any other. Before it is committed it goes through here, so that its outputs are
those of one run from top to bottom in an empty folder, and its metadata say nothing of whose run that was.
`--toy` is what the tests do; it writes nothing. What a notebook must look like stands in README.md beside this file.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parent
TIMEOUT_S = 900  # a cell
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)
NO_NETWORK = """\
import socket


def _connect(self, address, _connect=socket.socket.connect):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"a notebook must not need the network, this one asked for {address[0]!r}")
    return _connect(self, address)


socket.socket.connect = _connect
"""


def paths(names: list[str] | None = None) -> list[Path]:
    """The notebooks whose file names begin with one of `names`; all where there is none given.

    Raises:
        ValueError: a name that no notebook begins with.
    """
    known = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
    for name in names or []:
        if not any(path.name.startswith(name) for path in known):
            raise ValueError(f"names must begin one of {[p.stem for p in known]}, got {name!r}")
    return [path for path in known if not names or path.name.startswith(tuple(names))]


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def parameters_cell(notebook: Any) -> Any:
    """The only cell tagged `parameters`; ValueError where it is not one."""
    found = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(found) != 1:
        raise ValueError(f"one cell must be tagged 'parameters', got {len(found)}")
    return found[0]


def parameters(notebook: Any) -> dict[str, Any]:
    """The sizes of a notebook: name -> value, as its parameters cell says; anything but literals raises."""
    found = {}
    for node in ast.parse(parameters_cell(notebook).source).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            raise ValueError(f"the parameters cell takes lines NAME = value only, got {ast.unparse(node)!r}")
        found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def shrink(notebook: Any) -> None:
    """In place: the toy sizes in the metadata replace those of the parameters cell."""
    toy = notebook.metadata.get("textgym", {}).get("toy", {})
    if unknown := sorted(set(toy) - set(parameters(notebook))):
        raise ValueError(f"toy sizes {unknown} are not in the parameters cell")
    parameters_cell(notebook).source += "".join(f"\n{name} = {value!r}" for name, value in toy.items())


def solutions(cell: Any) -> list[str]:
    """The code of the hidden solutions in a markdown cell."""
    return SOLUTION.findall(cell.source) if cell.cell_type == "markdown" else []


def add_solutions(notebook: Any) -> None:
    """In place: a code cell after each cell with a hidden solution, so that it runs where a reader would write it."""
    cells = []
    for cell in notebook.cells:
        cells += [cell, *(nbformat.v4.new_code_cell(code) for code in solutions(cell))]
    notebook.cells = cells


def run(notebook: Any) -> None:
    """In place: executes all cells in an empty folder; an error in one of them raises CellExecutionError."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # figures go inline
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            config=Config({"KernelManager": {"transport_encryption": "auto"}}),  # or the kernel warns that it has none
        )
        client.execute(env=environment)


def run_toy(path: Path) -> Any:
    """The notebook at toy size, solutions included, with the network off; returns it executed."""
    notebook = read(path)
    shrink(notebook)
    add_solutions(notebook)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(NO_NETWORK))
    run(notebook)
    return notebook


def clean(notebook: Any) -> None:
    """In place: leaves of the metadata what the tests and Jupyter need, and of the outputs what a page can show."""
    kept = {"textgym": notebook.metadata["textgym"]} if "textgym" in notebook.metadata else {}
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}, **kept})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            # A widget lives as long as its kernel; a page shows the text that stands beside it.
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of file names, such as 02; default: all")
    parser.add_argument("--toy", action="store_true", help="at toy size and with the solutions; writes nothing")
    given = parser.parse_args(arguments)
    try:
        chosen = paths(given.names)
    except ValueError as error:
        parser.error(str(error))
    for path in chosen:
        start = time.perf_counter()
        print(path.name, end=" ", flush=True)
        if given.toy:
            run_toy(path)
        else:
            notebook = read(path)
            run(notebook)
            clean(notebook)
            nbformat.write(notebook, path)
        print(f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
