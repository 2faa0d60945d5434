"""Laws of `textgym serve`: values keep their bits, a step is played once, sessions are apart, strangers are refused.

That what is served is the local env is shown in test_serve_contract.py.
"""

from __future__ import annotations

import copy
import http.client
import json
import math
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from test_env_vector import same
from tiny import Counted, CountTask, EchoTask, hash_score, save_tiny_tokenizer, tiny_policy, tiny_reward, tiny_tokenizer

import textgym
from textgym.cli import main
from textgym.envs.single import TextEnv
from textgym.envs.vector import TextVectorEnv
from textgym.models.chat_endpoint import ChatEndpoint, ChatEndpointError
from textgym.serve import RemoteEnv, RemoteEnvError, RemoteVectorEnv
from textgym.serve.server import EnvServer
from textgym.serve.sessions import Limits
from textgym.serve.wire import decode, encode
from textgym.types import Transcript

DIALOGUE = "textgym/Dialogue-v0"
SIZES = {"context_length": 96, "max_new_tokens": 8, "max_turns": 3}
ROOT = Path(__file__).parent.parent


def serving(reward: Any = None, task: Any = None, **changes: Any) -> EnvServer:
    owned = {"data": task or CountTask(), "reward": reward or Counted(), "tokenizer": tiny_tokenizer()}
    return EnvServer({DIALOGUE: owned}, **changes)


def remote(server: EnvServer, **changes: Any) -> RemoteEnv:
    return RemoteEnv(server.url, DIALOGUE, **{"action": "response", "wait": 0.01, **SIZES, **changes})


def local(**changes: Any) -> TextEnv:
    return TextEnv(CountTask(), Counted(), tiny_tokenizer(), **{"action": "response", **SIZES, **changes})


def ask(
    server: EnvServer, path: str, body: Any = None, method: str = "POST", kind: str = "application/json"
) -> tuple[int, Any]:
    """What a program in any language sends and gets."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data, {"Content-Type": kind})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


# -- values on the wire ------------------------------------------------------------------------------


def values() -> list[Any]:
    rng = np.random.default_rng(0)
    floats = rng.integers(2**64, size=300, dtype=np.uint64).view(np.float64)  # any bits at all
    narrow = rng.integers(2**32, size=300, dtype=np.uint64).astype(np.uint32).view(np.float32)
    objects = np.empty((2, 2), dtype=object)
    objects[:] = [[None, {"a": np.int8(1)}], ["x", [1, (2,)]]]
    whole = [np.array([np.iinfo(d).min, np.iinfo(d).max], dtype=d) for d in ("int8", "int64", "uint64", "int32")]
    return [
        *(None, True, False, 0, -(2**70), 2**53 + 1, "", "\ud800 é 🎉 \x00"),
        *(-0.0, 5e-324, math.inf, -math.inf, math.nan),
        *([], (), {}, [[]], (1, [2, (3,)]), {"a": None, "b": {"c": [1.5]}}, {"$array": 1}, {1: "a", "$": {"$x": ()}}),
        *(floats, floats[np.isfinite(floats)].tolist(), narrow, narrow[np.isfinite(narrow)], *whole),
        *(np.zeros((0, 3)), np.array(7), np.ones((2, 3, 1), dtype=bool), np.float32(0.1), np.bool_(True), np.int64(-1)),
        *(np.float64(0.1), objects, np.array([None, None], dtype=object)),
    ]


@pytest.mark.parametrize("k", range(len(values())))
def test_values_come_back_as_they_went(k: int) -> None:
    value = values()[k]
    back = decode(json.loads(json.dumps(encode(value), allow_nan=False)))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        is_nan = np.isnan(value)  # of a nan only that it is one is kept
        assert (np.isnan(back) == is_nan).all()
        assert value[~is_nan].tobytes() == back[~is_nan].tobytes()
        assert (value.dtype, value.shape) == (back.dtype, back.shape)
    elif type(value) is float:
        assert type(back) is float
        assert np.float64(back).tobytes() == np.float64(value).tobytes()
    else:
        same(back, value)


@pytest.mark.parametrize(
    "bad",
    [
        {"$array": [1], "dtype": "object_", "shape": [1]},
        {"$array": [1, 2], "dtype": "int64", "shape": [3]},
        {"$array": ["a"], "dtype": "int64", "shape": [1]},
        {"$array": [1], "dtype": "<U100000000", "shape": [1]},
        {"$array": [2**64], "dtype": "int64", "shape": [1]},
        {"$array": 3, "dtype": "int64", "shape": []},
        {"$array": [1], "dtype": "int64", "shape": [1] * 40},
        {"$scalar": "x", "dtype": "float32"},
        {"$float": "1e999"},
        {"$dict": [[1]]},
        {"$dict": [[[1], 2]]},
        {"$pickle": "gASV"},
    ],
)
def test_what_is_no_value_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(next(iter(bad))))):
        decode({"a": [bad]})


def test_objects_cannot_be_sent() -> None:
    for value in (object(), {1, 2}, b"x", np.array([1j]), len):
        with pytest.raises(TypeError, match=r"sent to a server|dtype"):
            encode([value])


# -- sessions ----------------------------------------------------------------------------------------


def test_fifty_sessions_at_once_are_fifty_envs_of_their_own() -> None:
    """Each thread's whole episodes, observations to infos, are those of a local env with its seed."""

    def play(env: Any, seed: int) -> list[Any]:
        rng, seen = np.random.default_rng(seed), [env.reset(seed=seed)]
        for _ in range(2):
            is_over = False
            while not is_over:
                seen.append(env.step(("a", "stop", "leave", "é 🎉", "x" * 50)[rng.integers(5)]))
                is_over = seen[-1][2]
            seen.append(env.reset())
        return seen

    with serving() as server:
        all_there = threading.Barrier(50)

        def play_remotely(seed: int) -> list[Any]:
            env = remote(server)
            all_there.wait(60)
            seen = play(env, seed)
            all_there.wait(60)  # nobody leaves before all have played
            env.close()
            return seen

        with ThreadPoolExecutor(50) as pool:
            played = list(pool.map(play_remotely, range(50)))
        assert len(server.sessions) == 0
    for seed, seen in enumerate(played):
        same(seen, play(local(), seed))


def test_a_repeated_request_is_played_once() -> None:
    reward = Counted()
    with serving(reward) as server:
        status, opened = ask(server, "/sessions", {"env": DIALOGUE, "options": {"action": "response", **SIZES}})
        assert status == 200
        path = f"/sessions/{opened['session']}"
        reset = {"number": 1, "seed": 3}
        assert ask(server, path + "/reset", reset) == ask(server, path + "/reset", reset)
        step = {"number": 2, "action": "stop"}
        first = ask(server, path + "/step", step)
        assert first[0] == 200
        assert first[1]["terminated"] is True
        assert all(ask(server, path + "/step", step) == first for _ in range(3))
        assert reward.batches == [1]
        for number, action, told in (
            (2, "other", "number 2 was another request"),
            (4, "a", "must be 3"),
            (1, "a", "3"),
        ):
            status, answer = ask(server, path + "/step", {"number": number, "action": action})
            assert status == 409
            assert told in answer["error"]["message"]
        wrong = {"number": 3, "action": "a"}  # an error is an answer too, and keeps its number
        assert ask(server, path + "/step", wrong) == ask(server, path + "/step", wrong)
        assert ask(server, path + "/step", wrong)[1]["error"]["type"] == "ResetNeeded"
        assert ask(server, path + "/reset", {"number": 9, "seed": 3})[0] == 200  # a reset may skip numbers
        assert ask(server, path + "/step", {"number": 10, "action": "stop"})[1] == first[1]
        for number in (None, 0, -1, 1.5, True, "1", 2**60):
            status, answer = ask(server, path + "/step", {"number": number, "action": "a"})
            assert (status, answer["error"]["message"][:30]) == (400, "number must be an integer from")


def test_an_answer_that_got_lost_is_asked_for_again_and_the_step_played_once() -> None:
    """Behind a proxy that forwards each request and drops every second answer."""
    reward, whole = Counted(), local()
    with serving(reward) as server, dropping(server.url, lambda k: k % 2) as (url, forwarded):
        env = RemoteEnv(url, DIALOGUE, action="response", wait=0.0, attempts=9, **SIZES)
        for episode in range(4):
            same(env.reset(seed=episode), whole.reset(seed=episode))
            for text in ("a", "b", "stop"):
                same(env.step(text), whole.step(text))
        assert len(reward.transcripts) == 4
        assert len(forwarded) > 1.5 * (1 + 4 * 4)


@contextmanager
def dropping(url: str, drops: Any) -> Iterator[tuple[str, list[int]]]:
    """A proxy, one connection a request, that closes connections instead of answering where `drops(k)` says so."""
    host, port = url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    forwarded: list[int] = []

    def forward(client: socket.socket, k: int) -> None:
        with client, socket.create_connection((host, int(port))) as there:
            client.settimeout(5)
            data = b""
            while b"\r\n\r\n" not in data:
                data += client.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            size = int((re.search(rb"content-length: (\d+)", head, re.I) or [0, 0])[1])
            while len(body) < size:
                body += client.recv(65536)
            there.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            answer = b"".join(iter(lambda: there.recv(65536), b""))
            if not drops(k):
                client.sendall(answer)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            forwarded.append(len(forwarded))
            threading.Thread(target=forward, args=(client, forwarded[-1]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", forwarded
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_sessions_end_when_nobody_uses_them_and_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("textgym.serve.sessions.time", SimpleNamespace(monotonic=lambda: now[0]))
    with serving(limits=Limits(max_sessions=2, idle_seconds=10)) as server:
        first, second = remote(server), remote(server)
        first.reset(seed=0)
        with pytest.raises(RemoteEnvError, match="there are 2 sessions, and no more"):
            remote(server, attempts=1)
        second.close()
        third = remote(server)
        for _ in range(5):  # what is used goes on
            now[0] += 4
            third.reset(seed=0)
        with pytest.raises(RemoteEnvError, match="no such session: it was closed, it expired"):
            first.step("a")
        assert len(server.sessions) == 1
        with pytest.raises(gym.error.Error, match="closed"):
            second.reset()


def test_what_is_large_is_loaded_once_and_gold_knows_its_own_split(tmp_path: Path) -> None:
    folder, tokenizer = tiny_reward(tmp_path / "reward"), save_tiny_tokenizer(tmp_path / "tokenizer")
    pair = {"type": "ensemble", "models": [folder, 0.5]}
    for reward, is_shared in ((folder, True), (pair, True), ("gold", False), ({**pair, "models": ["gold", 0]}, False)):
        env_id = "textgym/Translate-v0"
        with EnvServer({env_id: {"reward": reward, "tokenizer": tokenizer}}) as server:
            found = []
            for split in ("train", "test"):
                env = RemoteEnv(server.url, env_id, action="response", split=split)
                whole = gym.make(env_id, action="response", split=split, reward=reward, tokenizer=tokenizer)
                same(env.reset(seed=1), whole.reset(seed=1))
                same(env.step("Der Hund."), whole.step("Der Hund."))
                found.append((env, next(reversed(server.sessions._sessions.values())).env.reward))
            assert (found[0][1] is found[1][1]) == is_shared


def test_tokens_cannot_be_guessed_and_another_session_cannot_be_reached() -> None:
    with serving() as server:
        tokens = {ask(server, "/sessions", {"env": DIALOGUE})[1]["session"] for _ in range(20)}
        assert len(tokens) == 20
        assert min(map(len, tokens)) >= 32  # 24 random bytes
        for token in ("x", next(iter(tokens))[:-1] + "!", ""):
            assert ask(server, f"/sessions/{token}/reset", {"number": 1})[0] == 404
        assert ask(server, f"/sessions/{tokens.pop()}", method="DELETE")[0] == 200
        assert ask(server, "/health", method="GET")[1] == {"status": "ok", "sessions": 19}


def test_envs_of_a_client_that_forgot_them_are_closed() -> None:
    with serving() as server:
        env = remote(server)
        vector = RemoteVectorEnv(server.url, DIALOGUE, num_envs=2, **SIZES)
        assert len(server.sessions) == 2
        for copied in (copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="one client"):
                copied(env)
        del env, vector
        assert len(server.sessions) == 0


def test_threads_play_at_once_where_they_are_asked_for() -> None:
    """Four steps whose rewards wait for one another."""
    together, reward = threading.Barrier(4), Counted()

    def wait(transcript: Transcript) -> float:
        together.wait(20)
        return 1.0

    reward.function = wait
    with serving(reward, threads=4) as server, ThreadPoolExecutor(4) as pool:
        envs = [remote(server) for _ in range(4)]
        for seed, env in enumerate(envs):
            env.reset(seed=seed)
        assert [step[1] for step in pool.map(lambda env: env.step("stop"), envs)] == [1.0] * 4


# -- failures ----------------------------------------------------------------------------------------


def test_a_server_that_dies_is_an_error_at_once_and_no_reward() -> None:
    server = serving()
    with server:
        env, vector = remote(server), RemoteVectorEnv(server.url, DIALOGUE, num_envs=2, wait=0.01, **SIZES)
        env.reset(seed=0)
        vector.reset(seed=0)
    start = time.monotonic()
    for play in (lambda: env.step("stop"), lambda: vector.step(np.zeros(2, dtype=np.int64)), env.reset, vector.reset):
        with pytest.raises(RemoteEnvError, match=r"http://127.0.0.1:\d+ gave no answer in 4 attempts"):
            play()
    with pytest.raises(ResetNeeded, match="nobody knows how the env stands"):
        env.step("stop")
    with pytest.raises(RemoteEnvError, match="gave no answer"):
        remote(server)
    assert time.monotonic() - start < 20
    env.close()  # no error, no hang


def test_a_server_that_hangs_runs_into_the_time_limit_and_the_step_is_not_lost() -> None:
    release, reward = threading.Event(), Counted()

    def slow(transcript: Transcript) -> float:
        release.wait(30)
        return hash_score(transcript)

    reward.function = slow
    with serving(reward, limits=Limits(request_seconds=0.3)) as server:
        env: Any = remote(server, attempts=99)
        env.reset(seed=0)
        env._remote.attempts = 1
        with pytest.raises(RemoteEnvError, match=r"no answer in 0.3 seconds; ask again with the same number"):
            env.step("stop")
        env._remote.attempts = 99
        patient = {"number": 2, "action": "stop"}
        release.set()
        path = f"/sessions/{next(iter(server.sessions._sessions))}/step"
        deadline = time.monotonic() + 60
        while (asked := ask(server, path, patient))[0] == 504 and time.monotonic() < deadline:
            pass
        assert asked[0] == 200
        assert reward.batches == [1]
        with pytest.raises(ResetNeeded):
            env.step("stop")
        same(env.reset(seed=0), local().reset(seed=0))


def test_a_time_limit_of_the_client_holds_against_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(RemoteEnvError, match=r"2 attempts.*timed out"):
            RemoteEnv(f"http://127.0.0.1:{silent.getsockname()[1]}", DIALOGUE, timeout=0.2, attempts=2, wait=0.0)
        assert time.monotonic() - start < 10


def test_a_reward_that_fails_is_raised_and_the_server_lives_on() -> None:
    reward = Counted()

    def fail(transcript: Transcript) -> float:
        raise RuntimeError("the judge is asleep")

    with serving(reward) as server:
        env = remote(server)
        env.reset(seed=0)
        reward.function = fail
        with pytest.raises(RemoteEnvError, match="RuntimeError: the judge is asleep"):
            env.step("stop")
        assert reward.batches == [1]  # not asked again: it was no failure of the line
        reward.function = hash_score
        with pytest.raises(ResetNeeded, match="over"):
            env.step("stop")
        env.reset(seed=0)
        assert env.step("stop")[2]


# -- strangers ---------------------------------------------------------------------------------------


def test_a_stranger_chooses_plain_options_and_nothing_of_the_servers() -> None:
    with serving() as server:
        for name in ("data", "reward", "tokenizer", "device", "render_mode"):
            status, answer = ask(server, "/sessions", {"env": DIALOGUE, "options": {name: "/etc/passwd"}})
            assert status == 400
            told = f"got an unexpected keyword argument {name!r}, known are ['action', 'split'"
            assert answer["error"]["message"].startswith(told)
        for body, told in (
            ({}, "the body must have 'env'"),
            ({"env": "textgym/Summarize-v0"}, "env must be one of ['textgym/Dialogue-v0'], which this server has"),
            ({"env": ["x"]}, "env must be one of"),
            ({"env": DIALOGUE, "options": []}, "options must be an object, got list"),
            ({"env": DIALOGUE, "num_env": 4}, "the body has the unknown field 'num_env', known are"),
            ({"env": DIALOGUE, "num_envs": 0}, "num_envs must be an integer from 1 to 1024, got 0"),
            ({"env": DIALOGUE, "num_envs": 10**6}, "num_envs must be an integer from 1 to 1024, got 1000000"),
            ({"env": DIALOGUE, "num_envs": "2"}, "num_envs must be an integer from 1 to 1024, got '2'"),
            (
                {"env": DIALOGUE, "num_envs": 1000, "options": {"context_length": 10**6}},
                "num_envs times context_length",
            ),
            ({"env": DIALOGUE, "options": {"context_length": 10**9}}, "num_envs times context_length must be at most"),
            (
                {"env": DIALOGUE, "options": {"autoreset_mode": "Disabled"}},
                "unexpected keyword argument 'autoreset_mode'",
            ),
            ({"env": DIALOGUE, "num_envs": 1, "options": {"autoreset_mode": "x"}}, "autoreset_mode must be one of"),
        ):
            status, answer = ask(server, "/sessions", body)
            assert (status, told in answer["error"]["message"]) == (400, True), (body, answer)
        assert len(server.sessions) == 0


def test_what_is_no_request_is_refused_and_the_server_lives_on() -> None:
    with serving(limits=Limits(max_body=2000)) as server:
        token = ask(server, "/sessions", {"env": DIALOGUE})[1]["session"]
        step = f"/sessions/{token}/step"
        for path, body, status, told in (
            ("/sessions", b"{nonsense", 400, "must be JSON"),
            ("/sessions", b"[]", 400, "must be a JSON object, got list"),
            ("/sessions", b"[" * 1900, 400, "JSON"),
            ("/sessions", b'{"env": "' + b"x" * 3000 + b'"}', 413, "2000 bytes"),
            (step, b'{"number": 1, "action": "' + b"x" * 99_000 + b'"}', 413, "2000 bytes"),
            (f"/sessions/{token}/reset", {"number": 1, "sed": 3}, 400, "did you mean 'seed'?"),
            (step, {"number": 1}, 400, "the body must have 'action'"),
            (step, {"number": 2, "action": {"$pickle": "x"}}, 400, "known are"),
            (f"/sessions/{token}/fly", {}, 404, "no call 'fly'"),
            ("/nowhere", {}, 404, "there is no POST /nowhere"),
            ("/v1/chat/completions", {}, 404, "no policy"),
        ):
            code, answer = ask(server, path, body)
            assert (code, told in answer["error"]["message"]) == (status, True), (path, code, answer)
        assert ask(server, "/sessions", {"env": DIALOGUE}, kind="text/plain")[0] == 415
        assert ask(server, "/sessions", method="GET")[0] == 405
        env = remote(server)
        env.reset(seed=0)
        with pytest.raises(RemoteEnvError, match="2000 bytes"):
            env.step("x" * 5000)
        env.step("a")  # the env was never asked, so it goes on


def test_envs_that_cannot_be_made_are_told_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="env must be one of"):
        EnvServer({"textgym/Nothing-v0": {}})
    with pytest.raises(ValueError, match="reward 'roug' is unknown"), EnvServer({DIALOGUE: {"reward": "roug"}}):
        pass
    for arguments, told in (
        (["--env", "CartPole-v1"], "env must be one of"),
        (["--env", DIALOGUE, "--reward", "roug", "--port", "0"], "reward 'roug' is unknown"),
        (["--env", DIALOGUE, "--max-sessions", "0"], "max_sessions must be an integer of at least 1"),
        (["--env", DIALOGUE, "--threads", "0"], "threads must be"),
        (["--max-body-mb", "0"], "max_body_mb must be above 0"),
        (["--host", "no.such.host.invalid"], "host must be a name or an address of this machine"),
        (["--port", "99999"], "port must be an integer from 0 to 65535"),
    ):
        assert main(["serve", *arguments]) == 1
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
        assert "could not be had" in capsys.readouterr().err


def test_the_command_serves_at_once_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    """With a session open and a connection that says nothing."""
    tokenizer = save_tiny_tokenizer(tmp_path)
    command = [*("serve", "--env", textgym.__name__ + "/Summarize-v0"), *("--reward", "gold", "--port", "0")]
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from textgym.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, *command, "--tokenizer", tokenizer]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[-4].rstrip(",")
        assert line == f"serving textgym/Summarize-v0 on {url}, Ctrl-C ends it\n"
        env = RemoteEnv(url, "textgym/Summarize-v0", action="response")
        env.reset(seed=0)
        assert env.step("Nothing.")[2]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "interrupted\n"
    finally:
        process.kill()
        process.communicate()


# -- a policy ----------------------------------------------------------------------------------------


def test_a_policy_answers_what_chat_programs_ask(tmp_path: Path) -> None:
    from textgym.serve.policy import ChatPolicy

    tiny_policy().save_pretrained(tmp_path)
    save_tiny_tokenizer(tmp_path)
    messages = [{"role": "user", "content": "Say something <|end|>."}]
    with pytest.raises(ValueError, match=r"policy='\./nowhere' is a path where no folder is"):
        ChatPolicy("./nowhere")
    with serving(load_policy=lambda: ChatPolicy(str(tmp_path))) as server:
        endpoint = ChatEndpoint(server.url + "/v1", "any", temperature=1.0, max_tokens=12, wait=0.0)
        said = [endpoint.complete(messages, seed=seed) for seed in (1, 1, 2)]
        assert said[0] == said[1] != said[2]
        assert said[0].completion_tokens <= 12
        greedy = ChatEndpoint(server.url + "/v1", "any", wait=0.0)
        assert greedy.complete(messages) == greedy.complete(messages)
        for extra, told in (
            ({"stream": None, "top_p": 0.5}, "a request may have"),
            ({"temperature": -1}, "temperature must be"),
            ({"max_tokens": 0}, "max_tokens must be"),
        ):
            given = {name: value for name, value in extra.items() if name != "stream"}
            with pytest.raises(ChatEndpointError, match=told):
                ChatEndpoint(server.url + "/v1", "any", None, 0.5, wait=0.0, extra=given).complete(messages)
        for wrong in ([], [{"role": "assistant", "content": "a"}], [{"role": "tool", "content": "a"}], "hello"):
            assert ask(server, "/v1/chat/completions", {"model": "m", "messages": wrong})[0] == 400


# -- speed is not a law, one request a step is -------------------------------------------------------


def test_a_vector_plays_all_rows_in_one_request() -> None:
    with serving(task=EchoTask()) as server, dropping(server.url, lambda k: False) as (url, forwarded):
        given = {**SIZES, "max_turns": 1}
        env = RemoteVectorEnv(url, DIALOGUE, num_envs=32, **given)
        whole = TextVectorEnv(EchoTask(), Counted(), tiny_tokenizer(), num_envs=32, **given)
        same(env.reset(seed=0), whole.reset(seed=0))
        for k in range(5):
            actions = np.arange(32) * 7 % tiny_tokenizer().vocab_size + k % 2
            same(env.step(actions), whole.step(actions))
        assert len(forwarded) == 1 + 1 + 5


def test_small_answers_are_sent_at_once() -> None:
    """Else each step on a kept connection waits 40 ms for the client's acknowledgement."""
    with serving() as server, socket.create_connection(server._socket.getsockname()) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100)
        there = connections_of(server)
        assert [t.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) > 0 for t in there] == [True]


def connections_of(server: EnvServer) -> list[Any]:
    """The sockets of a server's clients."""
    return [c.transport.get_extra_info("socket") for c in server._server.server_state.connections]
