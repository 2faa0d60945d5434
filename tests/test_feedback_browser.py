"""The site in a real browser: sign in, judge ten pairs by keyboard, see the agreement; text stays text.

Needs Chromium and its driver from the system's packages; skipped, saying so, where they are not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the feedback site needs the extra 'feedback'")
pytest.importorskip("selenium", reason="the browser is driven with selenium")

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="no Chromium with its driver here")

SCRIPT = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
PATIENCE = 60.0  # seconds; a busy machine is slow, not wrong
PASSWORD = "a password"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server of its own with ten pairs: its address, anna's and ben's links, the store."""
    folder = tmp_path_factory.mktemp("served")
    answers = [[f"one {i} {SCRIPT}", f"two {i}"] for i in range(10)]
    rows = [{"id": f"pair-{i}", "prompt": f"Request {i} {SCRIPT}", "responses": answers[i]} for i in range(10)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    store = folder / "feedback.db"
    options = ["--data", str(folder / "pairs.jsonl"), "--store", str(store), "--port", "0", "--raters", "anna", "ben"]
    server = subprocess.Popen(
        [sys.executable, "-m", "textgym.cli", "feedback", "serve", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={"TEXTGYM_ADMIN_PASSWORD": PASSWORD, "PATH": "/usr/bin"},
    )
    assert server.stdout is not None
    told: dict[str, str] = {"store": str(store)}
    for line in server.stdout:
        name, _, rest = line.strip().partition(": ")
        told[name] = rest
        if line.startswith("serving"):
            break
    yield told
    server.terminate()
    server.wait()


@pytest.fixture
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def press(browser: Any, *keys: str) -> None:
    for key in keys:
        browser.find_element(By.TAG_NAME, "body").send_keys(key)


def wait_for(browser: Any, selector: str, text: str = "") -> Any:
    """The first element of this kind that shows this text."""

    def look(driver: Any) -> Any:
        return next((e for e in driver.find_elements(By.CSS_SELECTOR, selector) if text in e.text), None)

    return WebDriverWait(browser, PATIENCE, ignored_exceptions=[StaleElementReferenceException]).until(look)


def judge_ten(browser: Any, link: str, keys: list[str]) -> None:
    """Signs in by the link and judges ten pairs by keyboard."""
    browser.get(link)
    for judged in range(10):
        wait_for(browser, "#count", f"{judged} judged")
        wait_for(browser, ".response")
        press(browser, *keys, Keys.ENTER)
    wait_for(browser, "h1", "All done")


def test_ten_pairs_by_keyboard_then_the_agreement_page(served: dict[str, str], browser: Any) -> None:
    browser.set_window_size(390, 844)  # a phone's width
    judge_ten(browser, served["anna"], [Keys.ARROW_LEFT])
    assert browser.current_url.endswith("/judge")  # the token has left the address bar
    press(browser, "u")  # the last one again, as a tie
    wait_for(browser, "#count", "9 judged")
    wait_for(browser, ".response")
    press(browser, "t", Keys.ENTER)
    wait_for(browser, "h1", "All done")
    browser.delete_all_cookies()
    judge_ten(browser, served["ben"], [Keys.ARROW_RIGHT, Keys.ARROW_RIGHT])

    browser.get(served["administration"])
    wait_for(browser, "[role=alert]", "password")
    wait_for(browser, "a", "Sign in").click()
    field = wait_for(browser, "#password")
    field.send_keys(PASSWORD, Keys.ENTER)
    wait_for(browser, "nav a", "Agreement").click()
    shown = float(wait_for(browser, ".alpha").text)
    report = read_report(served["store"])
    assert f"{report['agreement'][0]['alpha']:.3f}" == f"{shown:.3f}"
    assert [r["judgements"] for r in report["raters"]] == [10, 10]
    assert (report["raters"][0]["left"], report["raters"][0]["ties"]) == (1.0, 0.1)
    assert report["raters"][1]["left"] == 0.0
    wrong = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [entry for entry in wrong if "403" not in entry["message"]] == []  # 403: the page before the password


def test_text_stays_text_and_the_page_fits_a_phone(served: dict[str, str], browser: Any) -> None:
    rows = Path(served["store"]).with_name("more.jsonl")
    texts = [f"{SCRIPT} the pool opened on Monday", f"{SCRIPT} the pool opened on Friday, {'very' * 60}"]
    rows.write_text(json.dumps({"id": "new", "prompt": SCRIPT, "responses": texts}) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "textgym.cli", "feedback", "import", str(rows), "--store", served["store"]]
    subprocess.run(command, check=True, capture_output=True)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    browser.get(served["anna"])
    wait_for(browser, ".response", "Monday")
    assert browser.title != "run"
    assert SCRIPT in wait_for(browser, ".prompt").text
    assert browser.execute_script("return document.querySelectorAll('main script, main img').length") == 0
    marked = {mark.text for mark in browser.find_elements(By.TAG_NAME, "mark")}
    assert "Monday" in marked  # differences are easy to see
    assert any(text.startswith("Friday") for text in marked)
    assert not any("pool" in text for text in marked)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 390
    small = """return [...document.querySelectorAll('.actions button')].filter(b => b.offsetHeight < 40).length"""
    assert browser.execute_script(small) == 0  # a finger hits them
    press(browser, "c")
    wait_for(browser, "#comment").send_keys("Friday is ", Keys.ARROW_LEFT, "sunny t")  # keys are text there
    assert wait_for(browser, "#send").get_attribute("disabled") is not None


def read_report(store: str) -> Any:
    """What the offline command says."""
    command = [sys.executable, "-m", "textgym.cli", "feedback", "report", "--store", store, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
