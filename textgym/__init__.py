"""textgym: text environments for reinforcement learning, with rewards learned from people.

Importing it registers the ids with Gymnasium and loads neither torch nor transformers.
"""

from textgym.envs.registration import ENV_IDS, register_envs
from textgym.types import Example, Goodbye, Judgement, Message, RewardModel, Scores, Transcript

register_envs()

__all__ = ["ENV_IDS", "Example", "Goodbye", "Judgement", "Message", "RewardModel", "Scores", "Transcript"]
