"""The site over HTTP: what a rater is shown, what a stranger is refused, and the live report beside the offline one."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the feedback site needs the extra 'feedback'")
pytest.importorskip("httpx", reason="the feedback site is asked with httpx")

import httpx
from fastapi.testclient import TestClient

from textgym.cli import main
from textgym.feedback.items import Item, Verdict
from textgym.feedback.site.admin import router
from textgym.feedback.site.markdown import criteria_of, to_html
from textgym.feedback.site.security import Tries, admin_cookie, hash_password, is_admin_cookie, is_password
from textgym.feedback.site.server import create_app
from textgym.feedback.store import Store, add_items, add_rater, change_settings, new_token, read_all, set_setting
from textgym.types import Message

PASSWORD = "correct horse"
URL = "https://raters.example.org/judging"
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"
HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy")


def item(number: int, **fields: Any) -> Item:
    responses = ((Message("assistant", f"one {number} {SCRIPT}"),), (Message("assistant", f"two {number}"),))
    fields = {"key": f"hidden-model-{number}", "sources": ("hidden-model", "other-hidden"), **fields}
    return Item((Message("user", f"prompt {number} {SCRIPT}"),), responses, **fields)


class Site:
    """A site in this process, with two raters' clients and one of nobody's."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "feedback.db"
        self.store = Store(self.path)
        with self.store.writing() as connection:
            change_settings(connection, k=2)
            set_setting(connection, "password", hash_password(PASSWORD))
            add_items(connection, [item(i) for i in range(6)])
            self.tokens = {name: new_token(connection, add_rater(connection, name)) for name in ("anna", "ben")}
        self.app = create_app(self.store, URL)

    def client(self, **options: Any) -> TestClient:
        return TestClient(self.app, follow_redirects=True, **options)

    def rater(self, name: str) -> TestClient:
        """A client that has opened its personal link."""
        client = self.client()
        page = client.get(f"/r/{self.tokens[name]}")
        found = re.search(r'name="csrf" content="(\w+)"', page.text)
        assert found is not None
        client.headers["x-csrf-token"] = found[1]
        return client

    def admin(self) -> tuple[TestClient, str]:
        """A client that has given the password, and its token for forms."""
        client = self.client()
        page = client.post("/admin/login", data={"password": PASSWORD})
        found = re.search(r'name="csrf" value="(\w+)"', page.text)
        assert found is not None
        return client, found[1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.store.close()


def judge(client: TestClient, **fields: Any) -> Any:
    told = client.post("/api/next").json()
    body = {"item": told["item"]["id"], "choice": "left", **fields}
    return client.post("/api/judge", json=body)


def test_a_rater_signs_in_judges_undoes_and_the_store_has_it(site: Site) -> None:
    anna = site.rater("anna")
    told = anna.post("/api/next").json()
    assert told["progress"] == {"judged": 0, "left": 6, "quiz_left": 0}
    sent = {"strength": 3, "criteria": {"Clarity": [5, None]}, "comment": "  why  "}
    reply = judge(anna, **sent)
    assert reply.status_code == 200
    assert reply.json()["progress"]["judged"] == 1
    with site.store.reading() as connection:
        (one,) = read_all(connection)[1]
    assert one.verdict.choice == "ab"[one.shown[0]]
    assert (one.verdict.strength, one.verdict.comment, one.rater) == (3, "why", "anna")
    assert one.verdict.criteria["Clarity"][one.shown[0]] == 5
    back = anna.post("/api/undo").json()
    assert back["item"]["id"] == told["item"]["id"]
    assert back["item"]["responses"] == told["item"]["responses"]
    assert anna.post("/api/undo").status_code == 409


def test_names_of_models_never_reach_a_rater(site: Site) -> None:
    anna = site.rater("anna")
    seen = [anna.get(path).text for path in ("/judge", "/guide/general", "/", "/static/judge.js")]
    for _ in range(6):
        seen += [anna.post("/api/next").text, judge(anna).text]
    assert any("prompt 3" in text for text in seen)
    assert not any(name in text for text in seen for name in ("hidden-model", "other-hidden"))
    assert "hidden-model" in site.admin()[0].get("/admin/item/1").text  # whoever runs it may know


def test_pages_have_headers_and_no_inline_script_or_foreign_address(site: Site) -> None:
    anna, (admin, _) = site.rater("anna"), site.admin()
    judge(anna)
    pages = [anna.get(path) for path in ("/", "/judge", "/guide/summarize")]
    pages += [admin.get(f"/admin{p}") for p in ("", "/login", "/report", "/guide/general", "/item/1", "/nothing")]
    for page in pages:
        for header in HEADERS:
            assert header in page.headers, page.url
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert SCRIPT not in page.text
        for script in re.findall(r"<script[^>]*>", page.text):
            assert 'src="/static/' in script
        assert not re.search(r"<[^>]+\s(on\w+|style)=", page.text), page.url
        assert not re.search(r'(src|href)="(https?:)?//', page.text), page.url
    assert "&lt;script&gt;" in admin.get("/admin/item/1").text


def test_forged_foreign_and_missing_tokens_are_refused(site: Site) -> None:
    stranger = site.client()
    forged = site.tokens["anna"][:-1] + ("A" if site.tokens["anna"][-1] != "A" else "B")
    for token in (forged, "x", site.tokens["anna"] + "0", "..%2Fadmin", "%00", "' OR 1=1 --"):
        assert stranger.get(f"/r/{token}").status_code in (403, 404)
        assert not stranger.cookies
    for method, path in (("GET", "/judge"), ("GET", "/guide/general"), ("POST", "/api/next"), ("POST", "/api/undo")):
        assert stranger.request(method, path).status_code == 403
    stranger.cookies.set("textgym_rater", forged)
    assert stranger.post("/api/next").status_code == 403


def test_a_change_needs_the_token_of_its_own_session(site: Site) -> None:
    anna, ben = site.rater("anna"), site.rater("ben")
    of_ben = ben.headers["x-csrf-token"]
    for given in (of_ben, "", "0" * 64):
        anna.headers["x-csrf-token"] = given
        assert anna.post("/api/next").status_code == 403
    admin, csrf = site.admin()
    for given in (of_ben, "", csrf[:-1]):
        assert admin.post("/admin/raters", data={"csrf": given, "name": "mallory"}).status_code in (403, 422)
        assert admin.post("/admin/guide/general", data={"csrf": given, "text": "x"}).status_code in (403, 422)
        assert admin.post("/admin/import", data={"csrf": given}).status_code == 403
    assert "mallory" not in admin.get("/admin").text


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    client = TestClient(site.app, follow_redirects=False)
    replies = [client.get(f"/r/{site.tokens['anna']}"), client.post("/admin/login", data={"password": PASSWORD})]
    secure = TestClient(site.app, base_url="https://testserver", follow_redirects=False)
    assert "secure" in secure.get(f"/r/{site.tokens['anna']}").headers["set-cookie"].lower()
    for reply in replies:
        assert reply.status_code == 303
        cookie = reply.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie


def test_an_item_of_somebody_else_and_nonsense_are_refused(site: Site) -> None:
    anna, ben = site.rater("anna"), site.rater("ben")
    mine = anna.post("/api/next").json()["item"]["id"]
    bens = ben.post("/api/next").json()["item"]["id"]
    judge(anna)
    following = anna.post("/api/next").json()["item"]["id"]
    assert ben.post("/api/judge", json={"item": following, "choice": "left"}).status_code == 409
    assert bens == mine  # what others have begun comes first
    for wrong in (
        {"item": bens, "choice": "both"},
        {"item": bens, "choice": "left", "strength": 9},
        {"item": bens, "choice": "left", "rating": 3},
        {"item": bens},
        {"item": bens, "choice": "left", "criteria": {"Clarity": [5]}},
        {"item": bens, "choice": "left", "comment": "x" * 4001},
        {"item": bens, "choice": "left", "surprise": 1},
        {"item": "one", "choice": "left"},
    ):
        assert ben.post("/api/judge", json=wrong).status_code == 422, wrong
    assert ben.post("/api/judge", content=b"{", headers={"content-type": "application/json"}).status_code == 422
    with site.store.reading() as connection:
        assert [one.rater for one in read_all(connection)[1]] == ["anna"]


def test_oversized_bodies_are_refused_told_or_not(site: Site) -> None:
    anna = site.rater("anna")
    large = {"item": 1, "choice": "left", "comment": "x" * 70_000}
    assert anna.post("/api/judge", json=large).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(80):
            yield b" " * 1000

    assert anna.post("/api/judge", content=pieces()).status_code == 413
    assert anna.post("/admin/login", data={"password": "x" * 70_000}).status_code == 413
    assert anna.post("/api/next").status_code == 200


def test_no_admin_page_without_the_password(site: Site) -> None:
    anna = site.rater("anna")
    fields = {"csrf": "x", "name": "x", "title": "x", "k": 1, "lease_minutes": 1, "gold_every": 2, "text": "x"}
    parts = {"item_id": 1, "rater_id": 1, "task": "general", "format": "trl", "change": "link"}
    asked = 0
    for route in router.routes:  # so that a page of tomorrow is tested, too
        path, methods = getattr(route, "path", ""), getattr(route, "methods", set())
        if path == "/admin/login":
            continue
        for client in (site.client(), anna):
            for method in methods:
                data = fields if method == "POST" else None
                asked += 1
                assert client.request(method, path.format(**parts), data=data).status_code == 403, path
    assert asked >= 24


def test_the_password_is_hashed_and_tries_are_limited(site: Site) -> None:
    client = site.client()
    statuses = [client.post("/admin/login", data={"password": f"guess {i}"}).status_code for i in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    assert client.post("/admin/login", data={"password": PASSWORD}).status_code == 429
    hashed = hash_password(PASSWORD)
    assert PASSWORD not in hashed
    assert hashed != hash_password(PASSWORD)  # salted
    assert is_password(PASSWORD, hashed)
    assert not is_password(PASSWORD + " ", hashed)
    assert not any(PASSWORD.encode() in path.read_bytes() for path in site.path.parent.iterdir())


def test_only_wrong_passwords_count_as_tries(site: Site) -> None:
    client = site.client()
    assert [client.post("/admin/login", data={"password": PASSWORD}).status_code for _ in range(7)] == [200] * 7
    assert client.post("/admin/login", data={"password": "guess"}).status_code == 403


def test_strangers_at_their_own_addresses_do_not_lock_the_administrator_out(site: Site) -> None:
    for i in range(50):
        stranger = site.client(client=(f"10.0.0.{i}", 1))
        assert stranger.post("/admin/login", data={"password": "guess"}).status_code == 403
    assert site.client(client=("10.0.1.1", 1)).post("/admin/login", data={"password": PASSWORD}).status_code == 200


def test_of_many_tries_at_once_no_more_than_allowed_get_through() -> None:
    tries = Tries(5, 60.0)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: tries.allow("a"), range(200))) == 5
    tries.forgive("a")
    assert [tries.allow("a"), tries.allow("a")] == [True, False]


def test_tries_come_back_with_time() -> None:
    now = [0.0]
    tries = Tries(2, 60.0, lambda: now[0])
    assert [tries.allow("a"), tries.allow("a"), tries.allow("a"), tries.allow("b")] == [True, True, False, True]
    now[0] = 61.0
    assert tries.allow("a")


def test_an_admin_cookie_ends_and_cannot_be_made_up() -> None:
    cookie = admin_cookie("secret", "hash", now=0.0)
    assert is_admin_cookie(cookie, "secret", "hash", now=1.0)
    until, _, rest = cookie.partition(".")
    for wrong in ("", "..", f"{int(until) + 9}.{rest}", cookie[:-1], f"{until}.x.{rest}"):
        assert not is_admin_cookie(wrong, "secret", "hash", now=1.0), wrong
    assert not is_admin_cookie(cookie, "secret", "hash", now=13 * 3600.0)
    assert not is_admin_cookie(cookie, "other", "hash", now=1.0)
    assert not is_admin_cookie(cookie, "secret", "new hash", now=1.0)  # the password was changed


def test_the_administrator_adds_pauses_and_relinks_raters(site: Site) -> None:
    admin, csrf = site.admin()
    page = admin.post("/admin/raters", data={"csrf": csrf, "name": SCRIPT})
    assert SCRIPT not in page.text
    link = re.search(rf"{URL}(/r/[\w-]+)", page.text)
    assert link is not None
    assert site.client().get(link[1]).status_code == 200
    anna = site.rater("anna")
    admin.post("/admin/raters/1/pause", data={"csrf": csrf})
    assert anna.post("/api/next").json()["state"] == "paused"
    admin.post("/admin/raters/1/resume", data={"csrf": csrf})
    assert anna.post("/api/next").json()["state"] == "judge"
    admin.post("/admin/raters/1/link", data={"csrf": csrf})
    assert anna.post("/api/next").status_code == 403
    assert admin.post("/admin/raters/99/pause", data={"csrf": csrf}).status_code == 404
    assert admin.post("/admin/raters/1/promote", data={"csrf": csrf}).status_code == 404


def test_links_begin_with_the_sites_own_address_whatever_host_was_asked(site: Site) -> None:
    admin, csrf = site.admin()
    for path, data in (("/admin/raters", {"name": "zoe"}), ("/admin/raters/1/link", {})):
        page = admin.post(path, data={"csrf": csrf, **data}, headers={"host": "evil.example"}).text
        assert "evil.example" not in page
        assert f"{URL}/r/" in page


def test_a_copy_of_a_cookie_opens_nothing_after_signing_out(site: Site) -> None:
    (admin, csrf), (other, _) = site.admin(), site.admin()
    cookie = admin.cookies["textgym_admin"]
    admin.post("/admin/logout", data={"csrf": csrf})
    site.app = create_app(site.store, URL)  # a restart does not bring it back
    thief = site.client(cookies={"textgym_admin": cookie})
    assert thief.get("/admin").status_code == 403
    assert site.client(cookies=dict(other.cookies)).get("/admin").status_code == 200


def test_numbers_that_no_database_holds_are_refused(site: Site) -> None:
    anna, (admin, csrf) = site.rater("anna"), site.admin()
    for number in (10**30, 2**63, 2**31, 0, -1):
        assert anna.post("/api/judge", json={"item": number, "choice": "left"}).status_code == 422, number
        assert admin.get(f"/admin/item/{number}").status_code == 422, number
        assert admin.post(f"/admin/raters/{number}/pause", data={"csrf": csrf}).status_code == 422, number
    settings = {"csrf": csrf, "title": "x", "k": 10**30, "lease_minutes": 1, "gold_every": 2}
    assert admin.post("/admin/settings", data=settings).status_code == 422
    assert anna.post("/api/next").status_code == 200
    refused = anna.post("/api/judge", json={"item": 2**31 - 1, "choice": "left"})
    assert (refused.status_code, str(2**31 - 1) in refused.json()["detail"]) == (409, True)


def test_criteria_that_the_guidelines_do_not_have_are_refused(site: Site) -> None:
    anna = site.rater("anna")
    refused = judge(anna, criteria={"Clarity": [5, 4], "Beauty": [1, 2]})
    assert refused.status_code == 422
    assert "'Helpfulness', 'Correctness', 'Clarity'], got 'Beauty'" in refused.json()["detail"]
    assert judge(anna, criteria={"Clarity": [5, 4], "Beauty": [None, None]}).status_code == 200  # nothing was said


def test_nul_characters_do_not_reach_the_store(site: Site) -> None:
    anna, (admin, csrf) = site.rater("anna"), site.admin()
    assert judge(anna, comment="so\0 so\0").status_code == 200
    admin.post("/admin/guide/general", data={"csrf": csrf, "text": "# Ru\0les"})
    assert "<h1>Rules</h1>" in anna.get("/guide/general").text
    assert anna.get("/guide/general%00").status_code == 422
    page = admin.post("/admin/raters", data={"csrf": csrf, "name": "zo\0e"})
    assert (page.status_code, "without NUL" in page.text) == (422, True)
    with site.store.writing() as connection:
        assert read_all(connection)[1][0].verdict.comment == "so so"
        with pytest.raises(ValueError, match=r"origin must be a text without NUL characters, got 'a\\x00b'"):
            add_items(connection, [item(7, origin="a\0b")])


def test_a_failure_has_the_headers_too_and_tells_nothing_of_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = site.rater("anna")
    anna = site.client(raise_server_exceptions=False, cookies=dict(anna.cookies), headers=anna.headers)

    def fail(*_: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr("textgym.feedback.site.pages.next_item", fail)
    monkeypatch.setattr("textgym.feedback.site.pages.guide_of", fail)
    for reply in (anna.post("/api/next"), anna.get("/guide/general")):
        assert reply.status_code == 500
        assert "a secret" not in reply.text
        assert reply.headers["cache-control"] == "no-store"
        for header in HEADERS:
            assert header in reply.headers
    refused = anna.post("/admin/login", data={"password": "x" * 70_000})
    assert all(header in refused.headers for header in HEADERS)


def test_guidelines_are_edited_and_their_criteria_are_asked(site: Site) -> None:
    admin, csrf = site.admin()
    text = f"# Rules {SCRIPT}\n\n## Criteria\n\n### Kindness\n\nIs it kind?\n\n### Wit\n"
    admin.post("/admin/guide/general", data={"csrf": csrf, "text": text})
    anna = site.rater("anna")
    assert anna.post("/api/next").json()["item"]["criteria"] == ["Kindness", "Wit"]
    page = anna.get("/guide/general").text
    assert "Is it kind?" in page
    assert SCRIPT not in page
    assert admin.get("/admin/guide/..%2F..%2Fsecret").status_code in (200, 404)


def test_markdown_is_a_small_safe_part() -> None:
    html = to_html(
        "# A\n\nb *c* **d** `e<f`\ng\n\n- h\n- i\n\n1. j\n\n> k\n\n<b onclick='x'>&\n\n[l](javascript:m)\n---"
    )
    assert "<h1>A</h1>" in html
    assert "<p>b <em>c</em> <strong>d</strong> <code>e&lt;f</code> g</p>" in html
    assert "<ul><li>h</li><li>i</li></ul>" in html
    assert "<ol><li>j</li></ol>" in html
    assert "<blockquote>k</blockquote>" in html
    assert "<hr>" in html
    assert set(re.findall(r"</?(\w+)", html)) <= {
        "h1", "p", "em", "strong", "code", "ul", "ol", "li", "blockquote", "hr"
    }  # fmt: skip
    assert "&lt;b onclick" in html
    assert "<a" not in html
    assert criteria_of("## Criteria\n### x\n## Other\n### y") == ["x"]


def test_files_go_in_and_out_through_the_pages(site: Site) -> None:
    admin, csrf = site.admin()
    row = {"id": "n", "prompt": "p", "responses": ["x", "y"], "judgements": [{"choice": "b", "rater": "zoe"}]}
    upload = {"file": ("rows.jsonl", json.dumps(row).encode())}
    assert "1 items and 1 judgements" in admin.post("/admin/import", data={"csrf": csrf}, files=upload).text
    bad = {"file": ("rows.jsonl", b'{"id": "n"}')}
    page = admin.post("/admin/import", data={"csrf": csrf}, files=bad)
    assert page.status_code == 422
    assert "The file, line 1" in page.text
    assert '"rejected": [{"role": "assistant", "content": "x"}]' in admin.get("/admin/export/trl").text
    assert admin.get("/admin/export/crowdkit").text == "task,worker,label\nn,zoe,b\n"
    assert admin.get("/admin/export/exe").status_code == 404


def test_the_live_report_equals_the_offline_command(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    anna, ben = site.rater("anna"), site.rater("ben")
    for i in range(6):
        judge(anna, choice=("left", "right", "tie")[i % 3])
        judge(ben, choice=("left", "tie", "tie")[i % 3])
    live = site.admin()[0].get("/admin/report.json").json()
    assert main(["feedback", "report", "--store", str(site.path), "--json"]) == 0
    offline = json.loads(capsys.readouterr().out)
    assert live == offline
    assert live["judgements"] == 12
    assert live["agreement"][0]["units"] == 6
    page = site.admin()[0].get("/admin/report").text
    assert f"{live['agreement'][0]['alpha']:.3f}" in page


def test_a_gold_item_is_told_in_the_order_shown(site: Site) -> None:
    with site.store.writing() as connection:
        add_items(connection, [item(9, purpose="quiz", answer=Verdict("a"), explanation="Look closer.")])
    anna = site.rater("anna")
    told = anna.post("/api/next").json()
    assert told["state"] == "quiz"
    right = "left" if told["item"]["responses"][0][0]["content"].startswith("one") else "right"
    lesson = judge(anna, choice=right).json()["lesson"]
    assert lesson == {"is_right": True, "choice": right, "rating": None, "ranks": [], "explanation": "Look closer."}


def test_the_first_page_is_there_in_less_than_three_seconds(tmp_path: Path) -> None:
    """Of the processor's time, so that a busy machine does not decide; from the command to the page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    store = str(tmp_path / "new.db")
    command = [sys.executable, "-m", "textgym.cli", "feedback", "serve", "--store", store, "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with suppress(httpx.TransportError):
                assert httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200
                break
            time.sleep(0.05)
    finally:
        server.kill()
        server.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0
