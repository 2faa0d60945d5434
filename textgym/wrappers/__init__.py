"""Wrappers for the envs: what is observed, what is paid, what is kept. See each class.

Rewards are normalised by Gymnasium's own `NormalizeReward`, single and vector, which serves as it is.
"""

from textgym.wrappers.limits import HistoryWindow, TextToTokens, TurnLimit
from textgym.wrappers.recorder import TranscriptRecorder
from textgym.wrappers.reference import ReferenceLogprob, VectorReferenceLogprob
from textgym.wrappers.shaping import PotentialShaping
from textgym.wrappers.vocabulary import VectorVocabularyMask, VocabularyMask

__all__ = [
    "HistoryWindow",
    "PotentialShaping",
    "ReferenceLogprob",
    "TextToTokens",
    "TranscriptRecorder",
    "TurnLimit",
    "VectorReferenceLogprob",
    "VectorVocabularyMask",
    "VocabularyMask",
]
