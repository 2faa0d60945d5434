"""The ids: one env class each, whose docstring is its manual, and its vector env.

All three share their rules (`episodes.py`), their doors (`doors.py`) and their arguments
(`arguments.py`); what differs is the world and the sizes.
"""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from textgym.envs.arguments import assemble
from textgym.envs.single import TextEnv
from textgym.envs.vector import TextVectorEnv

_VECTOR_ARGUMENTS = ("num_envs", "max_episode_steps", "autoreset_mode")


class SummarizeEnv(TextEnv):
    """Write a short summary of a news item or a forum post, as its reader wishes.

    ## Description
    Each episode is one text and one summary. The text is written out from a structured event (who, what,
    when, where, how much, why, with what result) and mixed with digressions; often the reader has a wish
    about the summary. A reward model learned from (simulated) people scores the summary; because the
    event is known to the program, a gold judge scores it too, and the two can be compared.

    ```python
    import gymnasium as gym
    import textgym

    env = gym.make("textgym/Summarize-v0", action="response")
    text, info = env.reset(seed=0)
    text, reward, terminated, truncated, info = env.step("The mayor opened the new bridge on Monday.")
    print(reward, info["gold"], info["gold_components"])
    ```

    ## Action Space
    - `action="token"` (default): `Discrete(V)`, the next token of the summary, V the tokenizer's vocabulary. The
      end-of-turn token ends the summary. Other control tokens are allowed and decode to nothing;
      `env.unwrapped.action_masks()` masks them, and `mask=True` puts the mask into the infos.
    - `action="response"`: a `TextSpace`, any Unicode text, the empty one too. End-of-turn is implied. A text of
      `max_new_tokens` tokens or more is cut to that many, as the token door would cut it.

    ## Observation Space
    - `action="token"`: `Box(-1, V - 1, (context_length,), int64)`, the token ids of the conversation, padded on the
      right with -1. `obs >= 0` is the mask, and the observation alone is the state.
    - `action="response"`: a `TextSpace`, the conversation as text, each message after its role.

    ## Rewards
    0 on each step but the last; then the score of the reward model, whatever ended the episode. A cut summary
    is scored as it is.

    ## Starting State
    An example of the split, drawn with the env's own generator; `reset(options={"index": i})` picks example i, which
    depends on (`data_seed`, `split`, i) alone. A prompt that does not fit `context_length - max_new_tokens`
    loses the end of its longest message, and `info["prompt_tokens_cut"]` says how many tokens that were.

    ## Episode End
    Always `terminated`, with `info["ending"]`: `"eot"`, the policy ended its turn, or `"length"`, the turn reached
    `max_new_tokens` tokens (end-of-turn counts as one). `truncated` belongs to wrappers such as `TimeLimit`,
    and nothing is scored then.

    ## Information
    - at reset: `index`, `prompt_tokens_cut`, `messages` (a list of `{"role", "content"}`), `response_mask`
      ((context_length,) bool, True where the policy chose the token).
    - at the end: `messages`, `response_mask`, `ending`, `score`; `score_components` where the reward model has them;
      `gold` in [0, 1] and `gold_components`, what the task's own program thinks; `token_rewards`
      ((context_length,) float32, the score divided over the policy's tokens) where the reward is dense.
    - with `mask=True` on every step: `action_mask`, (V,) int8.

    ## Arguments
    - `action`: `"token"` or `"response"`.
    - `reward`: None (the learned reward model of this id), `"gold"`, a metric (`"rouge1"`, `"rouge2"`, `"rougeL"`,
      `"bleu"`, `"chrf"`), a number, a folder or hub name of a reward model, a URL, a dict (both of them as text, too:
      `"0.5"`, a JSON object), a callable `f(transcript) -> float`, or an object with `score(transcripts)`.
    - `data`: None (the embedded world), a path, rows, a dict `{"path": …, "columns": {…}}`, or a task object. Needs
      `reward`.
    - `data_seed` (0), `split` (`"train"`, `"validation"` or `"test"`).
    - `tokenizer`: `"embedded"`, a folder or hub name, a dict, or a tokenizer.
    - `context_length` (256), `max_new_tokens` (64), `max_turns` (1).
    - `mask` (False), `device` (`"cpu"`, of a learned reward model), `render_mode` (None, `"human"` or `"ansi"`).

    Objects are held by reference; `env.spec.to_json()` works for all the rest. `gym.make_vec` takes `autoreset_mode`
    (`"SameStep"`, `"NextStep"`, `"Disabled"`) and `max_episode_steps` as well.

    ## Version History
    - v0: first version.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**assemble("summarize", kwargs))


class TranslateEnv(TextEnv):
    """Translate an English sentence into German.

    ## Description
    Each episode is one sentence (or a few) and its translation, over a real fragment of both languages: gender
    and case agreement, verb-second and verb-final order, separable verbs, numbers, questions, negation.
    Most sentences have several right translations, and the gold judge knows them.

    ## Action Space
    `action="token"` (default): `Discrete(V)`, the next token, end-of-turn ends the translation. `action="response"`: a
    `TextSpace`, the whole translation; a text of `max_new_tokens` tokens or more is cut as the token door would.

    ## Observation Space
    `action="token"`: `Box(-1, V - 1, (context_length,), int64)`, token ids padded on the right with -1.
    `action="response"`: a `TextSpace`, the conversation as text, each message after its role.

    ## Rewards
    0 on each step but the last; then the score of the reward model, whatever ended the episode.

    ## Starting State
    An example of the split, drawn with the env's own generator, or `reset(options={"index": i})`. A prompt that is too
    long loses the end of its longest message, counted in `info["prompt_tokens_cut"]`.

    ## Episode End
    Always `terminated`: `info["ending"]` is `"eot"` (end-of-turn) or `"length"` (`max_new_tokens` tokens, end-of-turn
    included). `truncated` belongs to wrappers such as `TimeLimit`, and nothing is scored then.

    ## Information
    At reset `index`, `prompt_tokens_cut`, `messages`, `response_mask`; at the end `messages`, `response_mask`,
    `ending`, `score`, and where they exist `score_components`, `gold`, `gold_components`, `token_rewards`;
    `action_mask` with `mask=True`. Their shapes are in the manual of `SummarizeEnv`.

    ## Arguments
    As in the manual of `SummarizeEnv`; the sizes here are `context_length` (128), `max_new_tokens` (48) and
    `max_turns` (1).

    ## Version History
    - v0: first version.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**assemble("translate", kwargs))


class DialogueEnv(TextEnv):
    """Serve a user who wants something booked: ask, confirm, answer, decline, and stop.

    ## Description
    A conversation of several turns with a simulated user who has a goal and a temper: vague at first, of a
    different mind later, sometimes asking for what must be declined. The user ends the conversation
    when served or fed up. One score for the whole conversation, from the learned reward model; the gold
    judge knows the user's goal.

    ## Action Space
    `action="token"` (default): `Discrete(V)`, the next token of the assistant's turn; end-of-turn hands over to the
    user. `action="response"`: a `TextSpace`, a whole turn; one of `max_new_tokens` tokens or more is cut as the token
    door would.

    ## Observation Space
    `action="token"`: `Box(-1, V - 1, (context_length,), int64)`, the token ids of the whole conversation, padded on the
    right with -1. Ids of earlier turns never change; the user's reply is appended in the step that ends the
    policy's turn. `action="response"`: a `TextSpace`, the conversation as text, each message after its role.

    ## Rewards
    0 on each step but the last of the conversation; then the score of the reward model, whatever ended it.

    ## Starting State
    An example of the split (the user, and what they say first), drawn with the env's own generator, or
    `reset(options={"index": i})`. The simulated user draws from the same generator, seeded by `reset(seed=…)`.
    A prompt that is too long loses the end of its longest message, counted in `info["prompt_tokens_cut"]`.

    ## Episode End
    Always `terminated`, with `info["ending"]`:
    - `"task"`: the user says goodbye, served or fed up; the goodbye is part of `info["messages"]`.
    - `"turns"`: the policy has had `max_turns` turns, and the user would have gone on.
    - `"length"`: the user's reply and one more turn of `max_new_tokens` tokens no longer fit `context_length`.

    `max_new_tokens` tokens (end-of-turn included) end the *turn* only; the env then appends end-of-turn itself. A reply
    that the policy can no longer answer is dropped. `truncated` belongs to wrappers such as `TimeLimit`, and
    nothing is scored then.

    ## Information
    At reset `index`, `prompt_tokens_cut`, `messages`, `response_mask`; at the end of each turn `messages` and
    `response_mask`; at the end of the conversation also `ending`, `score`, and where they exist `score_components`,
    `gold`, `gold_components`, `token_rewards`; `action_mask` with `mask=True`. Their shapes are in the manual of
    `SummarizeEnv`.

    ## Arguments
    As in the manual of `SummarizeEnv`; the sizes here are `context_length` (512), `max_new_tokens` (48) and
    `max_turns` (6). With `data=` of one's own each episode is one turn, or with `{"path": …, "user": "replay"}` the
    recorded user speaks turn by turn. A metric as `reward` needs such data: what the embedded world calls references
    are first turns.

    ## Version History
    - v0: first version.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**assemble("dialogue", kwargs))


class _WorldVectorEnv(TextVectorEnv):
    """n conversations of one world; see the manual of the single env, and `TextVectorEnv`."""

    world: str

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = "SameStep",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_envs=num_envs,
            max_episode_steps=max_episode_steps,
            autoreset_mode=autoreset_mode,
            **assemble(self.world, kwargs, _VECTOR_ARGUMENTS),
        )


class SummarizeVectorEnv(_WorldVectorEnv):
    """n conversations of `SummarizeEnv`."""

    world = "summarize"


class TranslateVectorEnv(_WorldVectorEnv):
    """n conversations of `TranslateEnv`."""

    world = "translate"


class DialogueVectorEnv(_WorldVectorEnv):
    """n conversations of `DialogueEnv`."""

    world = "dialogue"
