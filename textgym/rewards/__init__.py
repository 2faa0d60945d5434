"""Reward models: use, train, evaluate. The two functions a user begins with stand here, the rest in the modules."""

from textgym.rewards.api import load_reward_model, train_reward_model

__all__ = ["load_reward_model", "train_reward_model"]
