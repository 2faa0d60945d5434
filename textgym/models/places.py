"""Where a model lies: a folder here, or a name on the Hugging Face hub.

Left to itself, `from_pretrained` takes a mistyped folder for a hub name and, without a network,
tries again for forty seconds before it says so. Here what looks like a path is looked for on this
machine alone, and the hub is asked once, quickly, whether it can be reached at all. Data sets of the
hub (`tasks/load.py`) are found by the same two questions.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from textgym import checks

TIMEOUT = 4.0  # seconds that the hub has for an answer
_TELLING = ("config.json", "tokenizer_config.json", "tokenizer.json")  # one of these is in every copy of a model


class Place(NamedTuple):
    """What to hand to `from_pretrained`."""

    name: str
    options: dict[str, Any]  # keyword arguments beside it


def find_model(name: str | Path, argument: str) -> Place:
    """The folder or hub name that `name` means. A hub that cannot be reached leaves its copies in the cache.

    Args:
        name: a folder or a hub name.
        argument: what errors call it, e.g. "policy".

    Raises:
        ValueError: a path where no folder is; a hub name that is not in the cache while the hub cannot be reached.
    """
    if not str(name).strip():
        raise ValueError(f"{argument} must be a folder or a hub name, got {str(name)!r}")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Place(str(folder), {})
    if looks_like_path(name):
        is_file = folder.exists()
        raise ValueError(
            f"{argument}={str(name)!r} is {'a file, a folder is needed' if is_file else 'a path where no folder is'}"
        )
    if str(name) == "embedded":
        raise ValueError(f"{argument}='embedded' means nothing here: there is no folder of this name")
    if meant := checks.hint(str(name), ["embedded"], cutoff=0.8):
        raise ValueError(f"{argument}={str(name)!r} is no folder here{meant}")
    why = why_no_hub()
    if why is None:
        return Place(str(name), {})
    if not is_cached(str(name)):
        raise ValueError(
            f"{argument}={str(name)!r} is no folder here and not in the cache of hub models, and {why}; "
            "a folder begins with ./ or /"
        )
    return Place(str(name), {"local_files_only": True})


def looks_like_path(name: str | Path) -> bool:
    """Whether a name can only mean a folder: "./x", "../x", "/x", "~/x", "a/b/c", or "a/b" where a folder "a" is.

    "runs/b" too: there the runs lie, and nobody on the hub is called so.
    """
    text = str(name)
    if isinstance(name, Path) or Path(text).is_absolute() or text in (".", "..") or (os.sep != "/" and os.sep in text):
        return True
    if text.startswith(("./", "../", "~", "runs/")):
        return True
    return text.count("/") > 1 or ("/" in text and Path(text).parent.is_dir())


def why_no_hub() -> str | None:
    """Why the hub cannot be asked, for an error; None where it can."""
    from transformers.utils.hub import is_offline_mode

    if is_offline_mode():
        return "offline mode is set"
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return None if is_reachable(hub) else f"{hub} cannot be reached"


def is_cached(name: str) -> bool:
    """Whether a copy of this hub model lies in the cache of this machine."""
    from transformers.utils.hub import cached_file

    for file in _TELLING:
        with contextlib.suppress(OSError):
            if cached_file(name, file, local_files_only=True) is not None:
                return True
    return False


def is_reachable(url: str) -> bool:
    """Whether anything answers there, be it with an error."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:  # a certificate that is not liked comes from someone who answered
        return isinstance(error.reason, ssl.SSLError)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def says_what_failed(what: str) -> Iterator[None]:
    """Whatever a library raises while it reads a user's files, as a ValueError in one line: "what: reason"."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # a half of a file, another model's weights, no JSON: each library has its own
        raise ValueError(f"{what}: {in_one_line(error)}") from error


def in_one_line(error: Exception) -> str:
    """An error's message without its line breaks."""
    return " ".join(str(error).split())
