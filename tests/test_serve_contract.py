"""The laws of the local envs, held by envs behind HTTP.

The tests are those of test_env_vector.py, test_env_rules.py and test_env_ids.py; only what makes an env is exchanged,
so that it stands on a server. Where a test looks inside an env, it looks inside the one that the server plays. What the
remote env is compared with (`SyncVectorEnv`, single envs) stays local.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import gymnasium as gym
import pytest
import test_env_ids
import test_env_rules
import test_env_vector
from tiny import Counted, CountTask, tiny_tokenizer

from textgym.serve import RemoteEnv, RemoteEnvError, RemoteVectorEnv
from textgym.serve.server import EnvServer

DIALOGUE = "textgym/Dialogue-v0"
OWNED = ("tokenizer", "reward", "data")  # what a server's owner chooses


def for_ci(law: Any) -> Any:
    """The same test, left to `make ci` here: it takes thousands of requests. The original keeps its marks."""
    copied: Any = FunctionType(law.__code__, law.__globals__, law.__name__, law.__defaults__, law.__closure__)
    copied.__dict__.update(law.__dict__)
    copied.pytestmark = [*getattr(law, "pytestmark", []), pytest.mark.ci.mark]
    return copied


# -- of a vector: one line a law ---------------------------------------------------------------------

test_native_equals_sync = test_env_vector.test_native_equals_sync
test_rows_are_single_envs = test_env_vector.test_rows_are_single_envs
test_one_reward_call_for_all_that_ended = test_env_vector.test_one_reward_call_for_all_that_ended
test_time_limit_scores_nothing = test_env_vector.test_time_limit_scores_nothing
test_a_failing_reward_ends_what_it_should_have_scored = (
    test_env_vector.test_a_failing_reward_ends_what_it_should_have_scored
)
test_respond_refuses_what_is_no_turn = test_env_vector.test_respond_refuses_what_is_no_turn
test_index_option_picks_examples = test_env_vector.test_index_option_picks_examples
test_bad_actions_change_nothing = test_env_vector.test_bad_actions_change_nothing
test_disabled_rows_wait_for_their_reset = test_env_vector.test_disabled_rows_wait_for_their_reset
test_rows_that_never_began_wait_too = test_env_vector.test_rows_that_never_began_wait_too
test_next_step_reads_no_action_of_rows_that_begin = test_env_vector.test_next_step_reads_no_action_of_rows_that_begin
test_autoreset_mode_may_be_the_enum = test_env_vector.test_autoreset_mode_may_be_the_enum
test_masks_and_observations_are_fresh = test_env_vector.test_masks_and_observations_are_fresh
test_render_as_sync = test_env_vector.test_render_as_sync

# -- of an episode -----------------------------------------------------------------------------------

test_both_doors_are_one_env = for_ci(test_env_rules.test_both_doors_are_one_env)
test_token_limit_counts_end_of_turn = test_env_rules.test_token_limit_counts_end_of_turn
test_endings_of_a_conversation = test_env_rules.test_endings_of_a_conversation
test_token_limit_ends_the_turn_only = test_env_rules.test_token_limit_ends_the_turn_only
test_earlier_tokens_never_change = for_ci(test_env_rules.test_earlier_tokens_never_change)
test_control_tokens_decode_to_nothing_and_are_masked = (
    test_env_rules.test_control_tokens_decode_to_nothing_and_are_masked
)
test_text_never_becomes_control_tokens = test_env_rules.test_text_never_becomes_control_tokens
test_response_mask_marks_what_the_policy_chose = test_env_rules.test_response_mask_marks_what_the_policy_chose
test_token_rewards_lie_on_the_tokens_of_their_text = test_env_rules.test_token_rewards_lie_on_the_tokens_of_their_text
test_same_seed_same_episode_and_other_seeds_differ = test_env_rules.test_same_seed_same_episode_and_other_seeds_differ
test_index_option = test_env_rules.test_index_option
test_gold_and_components_are_what_the_task_says = test_env_rules.test_gold_and_components_are_what_the_task_says

# -- of every id -------------------------------------------------------------------------------------

tiny = test_env_ids.tiny
test_check_env = test_env_ids.test_check_env
test_check_env_as_it_comes = test_env_ids.test_check_env_as_it_comes
test_wrappers_work = test_env_ids.test_wrappers_work
test_both_doors_pay_the_same = for_ci(test_env_ids.test_both_doors_pay_the_same)
test_vector_is_singles_is_sync_for_whole_answers = for_ci(test_env_ids.test_vector_is_singles_is_sync_for_whole_answers)
test_vector_equals_sync = test_env_ids.test_vector_equals_sync
test_spec_round_trips_through_json = test_env_ids.test_spec_round_trips_through_json


class Served:
    """One server for all tests; its owner's choices change from env to env."""

    def __init__(self, server: EnvServer) -> None:
        self.server, self.sessions = server, server.sessions

    def make(self, kind: Callable[..., Any], env_id: str, owned: dict[str, Any], **given: Any) -> Any:
        """A remote env, with what tests look at inside the env on the server."""
        self.sessions.offers = {env_id: owned}
        known = set(self.sessions._sessions)
        env = kind(url=self.server.url, env=env_id, wait=0.01, **given)
        core = getattr(env, "unwrapped", env)
        (token,) = set(self.sessions._sessions) - known
        there = self.sessions._sessions[token].env
        for name in ("_episodes", "_observe", "task", "reward", "tokenizer"):
            setattr(core, name, getattr(there, name))
        return env


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    offers = {DIALOGUE: {"data": CountTask(), "reward": 0, "tokenizer": tiny_tokenizer()}}
    with EnvServer(offers) as server:
        yield Served(server)


class RemoteGym:
    """`gymnasium`, except that ids of textgym are made on a server; `vectorization_mode` asks for the local envs."""

    def __init__(self, served: Served) -> None:
        self.served = served

    def __getattr__(self, name: str) -> Any:
        return getattr(gym, name)

    def make(self, env_id: Any, **given: Any) -> Any:
        return self._make(gym.make, env_id, given)

    def make_vec(self, env_id: Any, **given: Any) -> Any:
        return self._make(gym.make_vec, env_id, given)

    def _make(self, make: Callable[..., Any], env_id: Any, given: dict[str, Any]) -> Any:
        if not isinstance(env_id, str) or "vectorization_mode" in given:
            return make(env_id, **given)
        owned = {name: given.pop(name) for name in OWNED if name in given}
        return self.served.make(lambda **k: make("textgym/Remote-v0", **k), env_id, owned, **given)


@pytest.fixture(autouse=True)
def _envs_are_remote(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny_tokenizer()

    def of_task(task: Any, reward: Any, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if not callable(getattr(task, "reply", None)):
            given = {**given, "max_turns": 1}
        return {"data": task, "reward": reward, "tokenizer": tokenizer}, given

    def make_native(task: str, n: int, **kwargs: Any) -> Any:
        owned, given = of_task(
            test_env_vector.TASKS[task](), Counted(), {**test_env_vector.SIZES, "num_envs": n, **kwargs}
        )
        return served.make(RemoteVectorEnv, DIALOGUE, owned, **given)

    def make(task: Any, action: str = "token", reward: Any = None, **kwargs: Any) -> Any:
        owned, given = of_task(task, reward or Counted(), {**test_env_rules.SIZES, "action": action, **kwargs})
        return served.make(RemoteEnv, DIALOGUE, owned, **given)

    monkeypatch.setattr(test_env_vector, "make_native", make_native)
    monkeypatch.setattr(test_env_vector, "ConnectionError", RemoteEnvError, raising=False)
    monkeypatch.setattr(test_env_rules, "make", make)
    monkeypatch.setattr(test_env_ids, "gym", RemoteGym(served))


def test_it_is_remote_envs_that_are_tested(served: Served) -> None:
    assert type(test_env_vector.make_native("echo", 1)) is RemoteVectorEnv
    assert type(test_env_rules.make(test_env_vector.EchoTask())) is RemoteEnv
    assert builtins.ConnectionError is not test_env_vector.ConnectionError


@pytest.mark.parametrize("task", test_env_vector.TASKS)
def test_respond_is_stepping_token_by_token(task: str) -> None:
    """In one mode, because it takes a thousand requests."""
    test_env_vector.test_respond_is_stepping_token_by_token(task, "SameStep", None)


WRONG = {"action": "tokens", "split": "dev", "data_seed": -1, "context_length": 20, "max_turns": 4}


@pytest.mark.parametrize("name", [*WRONG, "render_mode", "rewrad"])
@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_bad_arguments_are_told_in_the_words_of_the_local_env(name: str, tiny: dict[str, Any]) -> None:
    given = {name: WRONG.get(name, "rgb")}
    for remote, local in ((test_env_ids.gym.make, gym.make), (test_env_ids.gym.make_vec, gym.make_vec)):
        told = []
        for make in (remote, local):
            with pytest.raises((ValueError, TypeError)) as error:
                make("textgym/Summarize-v0", **{**tiny, **given})
            told.append((type(error.value), str(error.value).partition(", known are")[0]))
        assert told[0] == told[1]
