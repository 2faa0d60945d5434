"""Text to tokens and back, for conversations that grow and text that nobody can trust.

`ChatTokenizer` wraps any Hugging Face fast tokenizer with the three promises that the
environments need:

- *text never becomes control tokens*: a user who writes `<|im_end|>` has written ten characters;
- *turns only append*: token ids of earlier turns never change, so a chat template whose n turns
  are not a prefix of its n + 1 turns is refused;
- *decoding is the policy's text*: control tokens decode to nothing.

Left out on purpose: truncation (environments and reward models cut differently) and padding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textgym import checks
from textgym.models.places import Place, find_model, says_what_failed
from textgym.types import Message

EMBEDDED = Path(__file__).parent.parent / "assets" / "tokenizer"
# Used by tokenizers that bring no chat template: the bare text, each turn on lines of its own.
PLAIN_TEMPLATE = (
    "{{ bos }}{% for m in messages %}{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ end_of_turn }}{% endif %}{{ '\\n' }}{% endfor %}"
)
SAVED_END_OF_TURN = "textgym_end_of_turn"  # the key of a tokenizer_config.json that `ChatTokenizer.save` writes
_SPEC_KEYS = ("path", "end_of_turn", "chat_template")
_MAX_WORDS = 1 << 16  # remembered words; texts of a world have some thousands
_MAX_WORD_LENGTH = 32  # characters; longer ones (a URL, a text without blanks) are seldom met again


class ChatTokenizer:
    """A Hugging Face tokenizer that encodes conversations turn by turn.

    Args:
        tokenizer: a fast (Rust-backed) `transformers` tokenizer.
        end_of_turn: the control token that ends the assistant's turn, as text. Default: what `save`
            noted, else what the chat template writes after an assistant's message, else the
            tokenizer's eos token.
        chat_template: a Jinja template that replaces the tokenizer's own.

    Raises:
        ValueError: no end-of-turn token is known, or the chat template does not only append.
    """

    def __init__(self, tokenizer: Any, end_of_turn: str | None = None, chat_template: str | None = None) -> None:
        if not hasattr(tokenizer, "backend_tokenizer"):
            raise ValueError(
                f"tokenizer must be a fast tokenizer (backed by the tokenizers library), got {type(tokenizer).__name__}"
            )
        from tokenizers.decoders import ByteLevel

        self.hf = tokenizer
        self._markup = tokenizer.backend_tokenizer
        # A copy of our own reads text literally: the switch below is the backend's, not the call's.
        self._plain = type(self._markup).from_str(self._markup.to_str())
        self._plain.encode_special_tokens = True
        self.vocab_size: int = len(tokenizer)
        control = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._control = frozenset(control | set(tokenizer.all_special_ids))
        self._control_text = [t for t in (tokenizer.convert_ids_to_tokens(i) for i in sorted(self._control)) if t]
        self._template = chat_template if chat_template is not None else tokenizer.chat_template
        self._has_own_template = self._template is not None
        self._rendered: dict[tuple[tuple[str, ...], bool], list[str | int]] = {}
        self._tails: dict[tuple[tuple[str, ...], int], list[str | int]] = {}
        self._divides_at_blanks = _divides_at_blanks(self._plain)
        self._first_words: dict[str, list[int]] = {}  # token ids of a word at the start of a text
        self._words: dict[str, list[int]] = {}  # of a word after a blank, the blank included
        self._literals: dict[str, list[int]] = {}
        self.end_of_turn: int = self._find_end_of_turn(end_of_turn)
        self._eot_text: str = tokenizer.convert_ids_to_tokens(self.end_of_turn)
        self._rendered.clear()
        self._tails.clear()
        pad = tokenizer.pad_token_id
        self.pad: int = self.end_of_turn if pad is None else int(pad)
        self.control_mask = np.zeros(self.vocab_size, dtype=bool)  # (V,) True: never sampled by a policy
        self.control_mask[[i for i in self._control if i < self.vocab_size]] = True
        self.control_mask[self.end_of_turn] = False
        self._is_byte_level = isinstance(self._markup.decoder, ByteLevel)
        self._char_counts: np.ndarray | None = None

    # -- text ---------------------------------------------------------------------------------

    def encode(self, text: str) -> list[int]:
        """Plain text to token ids; control tokens spelled out in it stay characters."""
        ids = self._encode_words(text) if self._divides_at_blanks else None
        return self._encode_whole([text])[0] if ids is None else ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of many texts."""
        return [self.encode(text) for text in texts] if self._divides_at_blanks else self._encode_whole(texts)

    def _encode_whole(self, texts: Sequence[str]) -> list[list[int]]:
        cleaned = [_without_lone_surrogates(text) for text in texts]
        rows = [e.ids for e in self._plain.encode_batch_fast(cleaned, add_special_tokens=False)]
        for i, row in enumerate(rows):
            if not self._control.isdisjoint(row):  # e.g. a Unigram model that holds "</s>" as a piece
                rows[i] = self._encode_in_parts(cleaned[i])
        return rows

    def _encode_words(self, text: str) -> list[int] | None:
        """Token ids put together from remembered words; None where the text must be encoded whole.

        A word costs one dict access in place of a pass of byte-pair merges, which pays where texts are
        written from one vocabulary, as prompts of a task are.
        """
        first, *rest = text.split(" ")
        words = self._words
        try:
            ids = self._first_words[first].copy()
            for word in rest:
                ids += words[word]
        except KeyError:
            return self._learn_words(first, rest)
        return ids

    def _learn_words(self, first: str, rest: list[str]) -> list[int] | None:
        """`_encode_words` of a text with new words, which are remembered if they can stand alone."""
        if len(self._first_words) + len(self._words) > _MAX_WORDS:
            self._first_words.clear()
            self._words.clear()
        new = list(dict.fromkeys(word for word in rest if word not in self._words))
        if first not in self._first_words:
            new.insert(0, first)
        # An empty word stands for two blanks in a row; they and other whitespace belong together.
        if any(len(w) > _MAX_WORD_LENGTH or w.split() != [w] or _without_lone_surrogates(w) != w for w in new):
            return None
        is_first = first not in self._first_words
        spelled = [word if is_first and k == 0 else " " + word for k, word in enumerate(new)]
        rows = [e.ids for e in self._plain.encode_batch_fast(spelled, add_special_tokens=False)]
        if any(not self._control.isdisjoint(row) for row in rows):
            return None
        if is_first:
            self._first_words[first] = rows[0]
        self._words.update(zip(new[is_first:], rows[is_first:], strict=True))
        ids = self._first_words[first].copy()
        for word in rest:
            ids += self._words[word]
        return ids

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Token ids to text; control tokens, the end of turn included, decode to nothing."""
        control = self._control
        kept = [i for i in (ids.tolist() if isinstance(ids, np.ndarray) else ids) if i not in control]
        return self._markup.decode(kept, skip_special_tokens=False) if kept else ""

    def char_ends(self, ids: Sequence[int]) -> np.ndarray:
        """(T,) int64: how many characters of `decode(ids)` are complete after each token."""
        text_length = len(self.decode(ids))
        if self._is_byte_level:
            ends = np.cumsum(self._characters_per_token()[np.asarray(ids, dtype=np.int64)])
        else:
            ends = np.array([len(self.decode(ids[: t + 1])) for t in range(len(ids))], dtype=np.int64)
        return np.minimum(ends, text_length).astype(np.int64)

    # -- conversations ------------------------------------------------------------------------

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation, up to where the assistant's next turn begins."""
        return self._fill(self._pieces(tuple(m.role for m in messages), True), messages)

    def continuation_ids(self, messages: Sequence[Message], start: int) -> list[int]:
        """What follows the end-of-turn token of `messages[start - 1]`, an assistant's message.

        `messages[start:]` (users' turns) and the opening of the assistant's next turn.
        """
        return self._fill(self._tail(tuple(m.role for m in messages), start), messages)

    def require_growing_turns(self, roles: Sequence[str] = ("user",)) -> None:
        """Raises ValueError now if conversations that start with `roles` cannot grow turn by turn."""
        messages = [Message(role, "x") for role in (*roles, "assistant", "user", "assistant", "user")]
        self.continuation_ids(messages[: len(roles) + 2], len(roles) + 1)
        self.continuation_ids(messages, len(roles) + 3)

    def save(self, folder: str | Path) -> None:
        """Writes the tokenizer as transformers does, and the token that ends turns beside it."""
        before = self.hf.init_kwargs
        self.hf.init_kwargs = {**before, SAVED_END_OF_TURN: self._eot_text}
        try:
            self.hf.save_pretrained(folder)
        finally:
            self.hf.init_kwargs = before

    # -- inside -------------------------------------------------------------------------------

    def _find_end_of_turn(self, given: str | None) -> int:
        given = self.hf.init_kwargs.get(SAVED_END_OF_TURN) if given is None else given
        if given is not None:
            i = self.hf.convert_tokens_to_ids(given)
            if i is None or i not in self._control or (i == self.hf.unk_token_id and given != self.hf.unk_token):
                raise ValueError(
                    f"end_of_turn must be a control token, which no text can spell, one of {self._control_text[:20]}, "
                    f"got {given!r}"
                )
            return int(i)
        if self._has_own_template:
            tail = _strip_prefix(self._pieces(("user", "assistant"), False), [*self._pieces(("user",), True), 1])
            if tail and isinstance(tail[0], str):
                ids = self._literal_ids(tail[0])
                if ids and ids[0] in self._control:
                    return ids[0]
        if self.hf.eos_token_id is None:
            raise ValueError(
                "end_of_turn is unknown: the tokenizer has neither an eos token nor a chat template that ends turns; "
                'pass tokenizer={"path": ..., "end_of_turn": "<token>"}'
            )
        return int(self.hf.eos_token_id)

    def _pieces(self, roles: tuple[str, ...], opens_turn: bool) -> list[str | int]:
        """The template with contents left out: literal text, and the index of each message's content."""
        key = (roles, opens_turn)
        if key not in self._rendered:
            marks = [f"\ue000{i}\ue001" for i in range(len(roles))]
            text = self._render([{"role": r, "content": m} for r, m in zip(roles, marks, strict=True)], opens_turn)
            parts = re.split("\ue000(\\d+)\ue001", text)
            pieces: list[str | int] = [p if k % 2 == 0 else int(p) for k, p in enumerate(parts)]
            pieces = [p for p in pieces if p != ""]
            if [p for p in pieces if isinstance(p, int)] != list(range(len(roles))):
                raise ValueError(
                    f"chat_template does not write each message once and in order (roles {list(roles)}), "
                    "so a conversation cannot grow turn by turn"
                )
            self._rendered[key] = pieces
        return self._rendered[key]

    def _tail(self, roles: tuple[str, ...], start: int) -> list[str | int]:
        """The pieces of `continuation_ids`, which depend on the roles alone."""
        key = (roles, start)
        if key not in self._tails:
            before = self._pieces(roles[: start - 1], True)
            tail = _strip_prefix(self._pieces(roles, True), [*before, start - 1])
            if tail is None or not tail or not isinstance(tail[0], str) or not tail[0].startswith(self._eot_text):
                raise ValueError(
                    "chat_template cannot be used for conversations: its first "
                    f"{start} turns followed by {self._eot_text!r} are not a prefix of its {len(roles)} turns, "
                    "so tokens the policy has already written would change"
                )
            self._tails[key] = [tail[0][len(self._eot_text) :], *tail[1:]]
        return self._tails[key]

    def _render(self, messages: list[dict[str, str]], opens_turn: bool) -> str:
        from jinja2.exceptions import TemplateError

        try:
            if self._has_own_template:
                return self.hf.apply_chat_template(
                    messages, chat_template=self._template, tokenize=False, add_generation_prompt=opens_turn
                )
            bos = self.hf.bos_token if self.hf("").input_ids == [self.hf.bos_token_id] else ""
            return self.hf.apply_chat_template(
                messages,
                chat_template=PLAIN_TEMPLATE,
                tokenize=False,
                bos=bos or "",
                end_of_turn=getattr(self, "_eot_text", ""),
            )
        except TemplateError as error:
            roles = [m["role"] for m in messages]
            raise ValueError(f"chat_template refuses a conversation with roles {roles}: {error}") from error

    def _fill(self, pieces: Sequence[str | int], messages: Sequence[Message]) -> list[int]:
        ids: list[int] = []
        for piece in pieces:
            ids += self.encode(messages[piece].content) if isinstance(piece, int) else self._literal_ids(piece)
        return ids

    def _literal_ids(self, markup: str) -> list[int]:
        if markup not in self._literals:
            self._literals[markup] = self._markup.encode(markup, add_special_tokens=False).ids
        return self._literals[markup]

    def _encode_in_parts(self, text: str) -> list[int]:
        """Cuts control tokens' spellings after their first character and encodes the parts."""
        pattern = "|".join(f"(?<={re.escape(t[0])})(?={re.escape(t[1:])})" for t in self._control_text if len(t) > 1)
        parts = re.split(pattern, text) if pattern else [text]
        ids = [i for part in parts for i in self._plain.encode(part, add_special_tokens=False).ids]
        return [i for i in ids if i not in self._control]

    def _characters_per_token(self) -> np.ndarray:
        """(V,) int64: characters that begin in each token's bytes (byte-level vocabularies only)."""
        if self._char_counts is None:
            byte_of = _byte_level_alphabet()
            counts = np.zeros(self.vocab_size, dtype=np.int64)
            for token, i in self.hf.get_vocab().items():
                if i < self.vocab_size and i not in self._control:
                    counts[i] = sum((byte_of.get(c, 0) & 0xC0) != 0x80 for c in token)
            self._char_counts = counts
        return self._char_counts


def load_tokenizer(spec: Any = "embedded") -> ChatTokenizer:
    """A `ChatTokenizer` from what a user may write in a config.

    Args:
        spec: "embedded"; a folder or hub name; `{"path": …, "end_of_turn": "<token>",
            "chat_template": "<jinja>"}`; a `transformers` tokenizer; a `ChatTokenizer`.

    Raises:
        ValueError: unknown keys, or nothing that loads.
    """
    if isinstance(spec, ChatTokenizer):
        return spec
    if hasattr(spec, "backend_tokenizer"):
        return ChatTokenizer(spec)
    options: dict[str, Any] = {}
    if isinstance(spec, dict):
        unknown = sorted(set(spec) - set(_SPEC_KEYS))
        if unknown or "path" not in spec:
            raise ValueError(f"tokenizer takes the keys {list(_SPEC_KEYS)} ('path' is required), got {sorted(spec)}")
        options = {k: v for k, v in spec.items() if k != "path"}
        for name, value in options.items():
            if value is not None:
                checks.text(f"{name} of a tokenizer", value)
        spec = spec["path"]
    if isinstance(spec, ChatTokenizer) or hasattr(spec, "backend_tokenizer"):
        return ChatTokenizer(getattr(spec, "hf", spec), **options)
    if not isinstance(spec, str | Path):
        raise TypeError(f"tokenizer must be a name, a folder, a dict or a tokenizer, got {type(spec).__name__}")
    place = find_model(EMBEDDED if str(spec) == "embedded" else spec, "tokenizer")
    with says_what_failed(f"tokenizer={str(spec)!r} could not be loaded"):
        hf = _read_tokenizer(place)
    if not hf.get_vocab().keys() - set(hf.all_special_tokens):  # transformers makes an empty one from a model's config
        raise ValueError(
            f"tokenizer={str(spec)!r} has no tokenizer files: save it beside the model, or name another one"
        )
    return ChatTokenizer(hf, **options)


def _read_tokenizer(place: Place) -> Any:
    """A tokenizer of transformers, whose list of classes that could not be tried is told as what it comes from."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(place.name, **place.options)
    except ValueError as error:
        if "sentencepiece" not in str(error):
            raise
        where = "this folder has" if Path(place.name).is_dir() else "no folder here, and on the hub it has"
        raise ValueError(f"{where} no tokenizer files that can be read") from error


def _strip_prefix(pieces: Sequence[str | int], prefix: Sequence[str | int]) -> list[str | int] | None:
    """The pieces after `prefix`, or None where it is no prefix; literals may be cut in two."""
    rest = list(pieces)
    for piece in prefix:
        if rest and rest[0] == piece:
            rest.pop(0)
        elif rest and isinstance(piece, str) and isinstance(rest[0], str) and rest[0].startswith(piece):
            rest[0] = rest[0][len(piece) :]
        else:
            return None
    return rest


def _divides_at_blanks(backend: Any) -> bool:
    """Whether each " word" of a text gets the same tokens alone as in the text.

    True of byte-level BPE whose pre-tokenizer never joins a blank to what stands before it: the pattern
    of GPT-2, perhaps after digits are cut off. Other tokenizers may divide so too, but prove it less easily.
    """
    parts = json.loads(backend.to_str())
    steps = parts["pre_tokenizer"] or {}
    steps = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    *others, last = steps
    byte_level = last.get("type") == "ByteLevel" and last.get("use_regex", True) and not last["add_prefix_space"]
    # A token of the user's own is found in the raw text, blanks and all, unless it is a control token.
    is_plain = parts["normalizer"] is None and all(token["special"] for token in parts["added_tokens"])
    model = parts["model"]
    return bool(
        byte_level
        and is_plain
        and all(step.get("type") == "Digits" for step in others)
        and model.get("type") == "BPE"
        and not model.get("dropout")
    )


def _without_lone_surrogates(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _byte_level_alphabet() -> dict[str, int]:
    """The printable stand-in of each byte in byte-level BPE (Radford et al. 2019) -> the byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in set(printable)]
    return {chr(b): b for b in printable} | {chr(256 + k): b for k, b in enumerate(others)}
