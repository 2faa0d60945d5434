"""A trained reward model: a standard Hugging Face checkpoint, used as it should be.

Loads what `AutoModelForSequenceClassification` or `AutoModelForTokenClassification` load (see
network.py for the two kinds). Scores depend on the conversation alone: not on the batch it stands
in, its order, a tokenizer's padding side, or a save and reload. Not here: training (train.py),
and what the environments do with a dense reward.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textgym.models.language_model import DTYPES
from textgym.models.tokenizer import ChatTokenizer
from textgym.rewards.encoding import EncodedConversation, encode_conversations, load_reward_tokenizer, response_spans
from textgym.rewards.length import read_correction
from textgym.rewards.network import MEMBERS, kind_of, load_network, max_positions, outputs, pad, padding_id
from textgym.rewards.ordinal import read_note
from textgym.rewards.predict import Predicts
from textgym.rewards.sharing import can_share_prompts, group_by_prompt, split_values, to_row, token_values
from textgym.types import Scores, Transcript


class LearnedReward(Predicts):
    """Scores transcripts with a trained network.

    Args:
        path_or_model: a folder or hub name, or a loaded `transformers` model (moved, not copied).
        tokenizer: what `load_tokenizer` takes; default: the checkpoint's own.
        device: where the network computes.
        dtype: "float32", "bfloat16" or "float16".
        batch_tokens: tokens, padding included, that one forward pass takes at most (a single
            longer conversation goes alone).
        weights: for a sequence model with several outputs, how they add up to the score:
            `{label: weight}` over its labels, those left out counting 0. The outputs are the
            score's components. The outputs of a shared ensemble are averaged by default, and the attributes of a
            model that was trained on ratings have the weights of its training.

    Attributes:
        kind: "token" (scores come with spans) or "sequence".
        num_members: of an ensemble that shares this trunk; 1 for most models.
        length_correction: what is subtracted from the scores for length (see length.py); None for most models.
        num_cut: transcripts whose prompts had to be cut so far; `prompt_tokens_cut`: by how much.
        figures: what `textgym.rewards.train_reward_model` measured on held-out pairs; empty for a loaded one.

    Raises:
        ValueError: no trained head, several outputs without weights, a tokenizer that does not fit.
    """

    def __init__(
        self,
        path_or_model: Any,
        tokenizer: Any = None,
        device: str | torch.device = "cpu",
        dtype: str = "float32",
        batch_tokens: int = 16384,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {list(DTYPES)}, got {dtype!r}")
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens must be at least 1, got {batch_tokens}")
        if isinstance(path_or_model, str | Path):
            self.name = str(path_or_model)
            model, self.kind = load_network(path_or_model, DTYPES[dtype])
            tokenizer = self.name if tokenizer is None else tokenizer
        elif hasattr(path_or_model, "get_input_embeddings"):
            self.name = f"given as a {type(path_or_model).__name__}"
            model, self.kind = path_or_model.to(DTYPES[dtype]), kind_of([type(path_or_model).__name__], self.name)
            if tokenizer is None:
                raise ValueError("tokenizer must be given with a loaded model, got None")
        else:
            raise TypeError(f"reward model must be a name, a folder or a model, got {type(path_or_model).__name__}")
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.num_members = int(getattr(self.model.config, MEMBERS, 1))
        self.length_correction = read_correction(self.model.config, self.name)
        self.tokenizer: ChatTokenizer = load_reward_tokenizer(tokenizer)
        self.batch_tokens = batch_tokens
        self.max_length = max_positions(self.model.config)
        self.labels = [str(self.model.config.id2label[i]) for i in range(self.model.config.num_labels)]
        self.weights = self._check_weights(weights)
        self._shares_prompt: bool | None = None  # not known before several samples of a prompt are seen
        self.num_cut = 0
        self.prompt_tokens_cut = 0
        rows = self.model.get_input_embeddings().weight.shape[0]
        if self.tokenizer.vocab_size > rows:
            raise ValueError(
                f"tokenizer does not fit reward model {self.name!r}: it has {self.tokenizer.vocab_size} token ids, "
                f"the model's vocabulary has {rows}"
            )

    def score(self, transcripts: Sequence[Transcript]) -> Scores:
        """Scores of n transcripts, with components (several outputs) or spans (kind "token")."""
        scores = self._uncorrected(transcripts)
        correction = self.length_correction
        if correction is None or not transcripts:
            return scores
        spans = None if scores.spans is None else [correction.from_spans(each) for each in scores.spans]
        return Scores(correction.subtracted(scores.values, transcripts), scores.components, spans)

    def _uncorrected(self, transcripts: Sequence[Transcript]) -> Scores:
        """What the network says, whatever the lengths."""
        conversations = encode_conversations(self.tokenizer, transcripts, self.max_length)
        self._count_cuts(conversations)
        if self.kind == "token":
            values = self._token_values(conversations)
            spans = [
                response_spans(self.tokenizer, *each) for each in zip(conversations, values, transcripts, strict=True)
            ]
            return Scores(np.array([s.value.sum(dtype=np.float64) for s in spans], dtype=np.float32), spans=spans)
        out = np.zeros((len(transcripts), len(self.labels)), dtype=np.float32)
        for batch in self._batches([len(c.ids) for c in conversations]):
            out[batch] = self._forward([conversations[i] for i in batch])[0].cpu().numpy()
        components = dict(zip(self.labels, out.T, strict=True)) if len(self.labels) > 1 else {}
        return Scores((out @ self.weights).astype(np.float32), components=components)

    def _forward(self, conversations: Sequence[EncodedConversation]) -> tuple[torch.Tensor, torch.Tensor | None]:
        padding = padding_id(self.model, self.kind, conversations, self.tokenizer.pad)
        with torch.inference_mode():
            return outputs(self.model, self.kind, pad(conversations, padding, self.device))

    def _token_values(self, conversations: Sequence[EncodedConversation]) -> list[np.ndarray]:
        """(L,) float32 a conversation; the samples of one prompt share a row where the network allows it."""
        values = [np.zeros(0, dtype=np.float32)] * len(conversations)
        groups = self._groups(conversations)
        rows = [to_row([conversations[i] for i in group]) for group in groups]
        for batch in self._batches([row.length for row in rows]):
            chosen = [rows[r] for r in batch]
            if self._shares_prompt:
                with torch.inference_mode():
                    dense = split_values(token_values(self.model, chosen, self.tokenizer.pad)[0].cpu(), chosen)
            else:
                per_token = self._forward([row.conversations[0] for row in chosen])[1]
                assert per_token is not None
                dense = [[v[: row.length]] for v, row in zip(per_token.cpu(), chosen, strict=True)]
            for r, of_row in zip(batch, dense, strict=True):
                for i, value in zip(groups[r], of_row, strict=True):
                    values[i] = value.numpy()
        return values

    def _groups(self, conversations: Sequence[EncodedConversation]) -> list[list[int]]:
        """Which conversations go in one row; decides once whether the network can have several in one."""
        alone = [[i] for i in range(len(conversations))]
        if self._shares_prompt is False:
            return alone
        groups = group_by_prompt(conversations)
        if self._shares_prompt is None:
            several = [g for g in groups if len(g) > 1][:2]
            if not several:
                return alone
            rows = [to_row([conversations[i] for i in group[:3]]) for group in several]
            self._shares_prompt = can_share_prompts(self.model, self.kind, rows, self.tokenizer.pad)
        return groups if self._shares_prompt else alone

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Rows of similar length together, so that little is padded; the longest first."""
        order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
        while order:
            n = max(1, self.batch_tokens // lengths[order[0]])
            yield order[:n]
            order = order[n:]

    def _check_weights(self, weights: Mapping[str, float] | None) -> np.ndarray:
        """(K,) float32, how the K outputs add up."""
        if len(self.labels) > 1 and self.kind == "token":
            raise ValueError(f"reward model {self.name!r} must have one label a token, got {self.labels}")
        if weights is None:
            if self.num_members > 1:
                return np.full(self.num_members, 1 / self.num_members, dtype=np.float32)
            note = read_note(self.model.config, self.name)
            if note is not None and list(note.attributes) == self.labels:
                return np.array(list(note.attributes.values()), dtype=np.float32)
            if len(self.labels) > 1:
                raise ValueError(
                    f"reward model {self.name!r} has {len(self.labels)} outputs: weights must say how they add up, "
                    f"as {{label: weight}} over {self.labels}"
                )
            return np.ones(1, dtype=np.float32)
        unknown = sorted(set(weights) - set(self.labels))
        if unknown or not weights:
            raise ValueError(f"weights must be {{label: weight}} over the labels {self.labels}, got {dict(weights)}")
        return np.array([float(weights.get(label, 0.0)) for label in self.labels], dtype=np.float32)

    def _count_cuts(self, conversations: Sequence[EncodedConversation]) -> None:
        self.num_cut += sum(c.prompt_tokens_cut > 0 for c in conversations)
        self.prompt_tokens_cut += sum(c.prompt_tokens_cut for c in conversations)
