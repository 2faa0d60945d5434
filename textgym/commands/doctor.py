"""`textgym doctor`: what this machine can do, and what is missing. Asks no network and changes nothing."""

from __future__ import annotations

import json as json_format
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textgym.commands.printing import print_json, print_table

REQUIRED = ("textgym", "gymnasium", "numpy", "torch", "transformers", "tokenizers", "safetensors")
NEEDS = re.compile(r"([\w.-]+)[^;]*;.*\bextra == [\"'](\w+)[\"']")  # a line of the metadata: package, extra


def doctor(json: bool = False) -> None:
    """What this machine can do: versions, device, arithmetic, compilers, extras, caches; what is missing. No network.

    Args:
        json: as one line of JSON.
    """
    found = dict(examine())
    if json:
        print_json(found)
        return
    print_table([(name, str(said)) for name, said in found.items()])


def examine() -> Iterator[tuple[str, str]]:
    """(what, what was found), in the order of a report."""
    import platform

    import torch

    from textgym.models.tokenizer import EMBEDDED

    yield "python", platform.python_version()
    yield from ((name, version_of(name)) for name in REQUIRED)
    yield "platform", f"{platform.system()} {platform.machine()}"
    yield "cores", f"{_cores()} usable, torch uses {torch.get_num_threads()} threads"
    yield from _devices(torch)
    for name in ("float32", "bfloat16"):
        yield f"{name} products", f"{_rounded(_products_per_second(getattr(torch, name)) / 1e9)} GFLOP/s on the CPU"
    yield "torch.compile", _describe_compiler()
    yield "assets", _describe_assets(EMBEDDED.parent)
    yield "network", _describe_network()
    yield from _caches()
    for extra, packages in extras().items():
        missing = [package for package in packages if version_of(package) == "not installed"]
        said = f"lacks {', '.join(missing)}: pip install 'textgym[{extra}]'" if missing else "complete"
        yield f"extra {extra!r}", said


def extras() -> dict[str, list[str]]:
    """Each extra's packages, as the installed textgym declares them; those made of other extras are left out."""
    from importlib.metadata import PackageNotFoundError, requires

    found: dict[str, list[str]] = {}
    try:
        lines = requires("textgym") or []
    except PackageNotFoundError:  # a checkout that is on the path and not installed
        lines = []
    for need in filter(None, map(NEEDS.match, lines)):
        found.setdefault(need[2], []).append(need[1])
    return {extra: packages for extra, packages in found.items() if "textgym" not in packages}


def version_of(name: str) -> str:
    """An installed distribution's version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _devices(torch: Any) -> Iterator[tuple[str, str]]:
    """What `--device auto` takes, the GPUs, and which of them compute in bfloat16."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield "gpu", ", ".join(gpus) or "none (the defaults need none)"
    yield "device auto", "cuda" if torch.cuda.is_available() else "cpu"
    if torch.cuda.is_available():
        yield "bfloat16", "on the GPU" if torch.cuda.is_bf16_supported() else "not on this GPU: --dtype float32"
        return
    flags = _cpu_flags()
    kinds = [kind for kind in ("amx_bf16", "avx512_bf16", "bf16") if kind in flags]
    slow = "not in this CPU's hardware; --dtype auto measures before it chooses"
    yield "bfloat16", f"in hardware ({kinds[0]})" if kinds else slow


def _cpu_flags() -> set[str]:
    """Linux's list of what the CPU can do; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()}


def _describe_compiler() -> str:
    """Whether torch.compile can work: on a CPU it writes C++, which a compiler must turn into code."""
    compiler = os.environ.get("CXX") or next((c for c in ("g++", "clang++", "cl") if shutil.which(c)), None)
    if compiler is None:
        return "no C++ compiler found, so not on a CPU; textgym needs none"
    return f"can use {compiler}; textgym needs none"


def _describe_network() -> str:
    """What is set, not what answers: nothing is asked."""
    from transformers.utils import hub

    told = (
        "is off (HF_HUB_OFFLINE)"
        if hub.is_offline_mode()  # type: ignore[attr-defined]
        else "not asked; HF_HUB_OFFLINE=1 keeps it off"
    )
    return f"{told}. Needed for models and data sets of the hub alone"


def _caches() -> Iterator[tuple[str, str]]:
    from textgym.tasks.rows import cache_folder

    hub = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    for name, folder in (("cache of own data", cache_folder()), ("cache of the hub", hub)):
        yield name, _describe_folder(folder)


def _describe_folder(folder: Path) -> str:
    """Size and room."""
    here = next(place for place in (folder, *folder.parents) if place.exists())
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())
    return f"{folder}: {size / 1e6:,.0f} MB, {shutil.disk_usage(here).free / 1e9:,.0f} GB free"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _rounded(number: float) -> str:
    """A positive number as a whole one, or with two digits where it is below ten: never as 0."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _products_per_second(dtype: Any) -> float:
    """Floating-point operations a second in matrix products of a small policy's size; 0.2 s."""
    import time

    import torch

    a, b = torch.ones(2048, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    a @ b  # the first call sets up the library
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.2:
        a @ b
        count += 1
    return count * 2 * 2048 * 512 * 512 / (time.perf_counter() - start)


def _describe_assets(folder: Any) -> str:
    """Whether every file of the manifest lies there."""
    manifest = folder / "manifest.json"
    listed = json_format.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.is_file() else {}
    missing = [name for name in (manifest.name, *listed) if not (folder / name).is_file()]
    if missing:
        return f"lacks {', '.join(missing)}: install textgym anew, or build them with `textgym train assets`"
    return f"complete, {len(listed)} files"
