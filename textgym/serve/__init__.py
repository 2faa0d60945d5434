"""Envs over HTTP: `RemoteEnv` plays what `textgym serve` serves."""

from textgym.serve.client import RemoteEnv, RemoteEnvError, RemoteVectorEnv

__all__ = ["RemoteEnv", "RemoteEnvError", "RemoteVectorEnv"]
