"""The page in a real browser: what is seen, by keys and by clicks, and that it asks nobody but its own server."""

import json
import re

import pytest
from tests.browsing import IN_A_BROWSER, browser, faults, until

from undertow.asking.store import Store
from undertow.audits.labels import read_labels
from undertow.records import Answer, Condition, Judgement, Request, Sampling
from undertow.view.server import ViewServer
from undertow.view.site import Site

from .conftest import CONTEXTS, JUDGE, QUESTIONS, Made

pytestmark = IN_A_BROWSER
__all__ = ["browser"]  # a fixture
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> \u202egnp'
MANY = 3_000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 3,000 answers, of which one is hostile."""
    made = Made(tmp_path_factory.mktemp("page") / "run")
    requests = [
        Request(subject="target", condition=Condition(question=q, context=c), sample=k, seed=k, sampling=Sampling())
        for k in range(MANY // 4)
        for c in CONTEXTS
        for q in QUESTIONS
    ]
    with Store(made.folder / "run.sqlite", to="make") as store:
        store.add_answers(
            Answer(request=r, text=HOSTILE if n == 2 else f"answer {n} goes on", finish="stop", n_tokens=4)
            for n, r in enumerate(requests)
        )
        judgements = (
            Judgement(alignment=float(5 if n % 10 == 0 else 90), coherence=95.0, content="answer")
            for n in range(len(requests))
        )
        store.add_judgements(store.judge(JUDGE), enumerate(judgements, 1))
    return made


@pytest.fixture
def opened(browser, monkeypatch):
    """Opens the page over runs: `opened({"a": folder}, "#answers")`; fails where it complains or asks anybody else."""
    closing, troubles = [], []
    monkeypatch.setattr("undertow.view.site.EVERY_S", 0.05)

    def start(runs, hash="", *, width=1280, **more):
        site = Site(runs, by="someone").__enter__()
        server = ViewServer(site)
        server.begin()
        context = browser.new_context(viewport={"width": width, "height": 720}, **more)
        page = context.new_page()
        page.set_default_timeout(20_000)
        closing.append((context, server, site))
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(server.url) else troubles.append(r.url))
        page.goto(server.url + hash)
        return page

    yield start
    for context, server, site in closing:
        context.close()
        server.shutdown()
        server.server_close()
        site.__exit__()
    assert not troubles


def total(page, n):
    until(page, "n => document.querySelector('.total')?.textContent.startsWith(n + ' answer')", arg=f"{n:,}")


def test_answers_are_filtered_searched_sorted_and_linked_to(run, opened):
    page = opened({"a": run.folder}, "#answers")
    total(page, MANY)
    assert page.locator(".row").count() < 60  # of 3,000

    page.get_by_label("misaligned 300").check()
    total(page, 300)
    page.get_by_label("code 150").check()
    total(page, 150)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type('"ANSWER 2"')
    total(page, 55)  # 210, 230, ..., 290, 2010, 2030, ..., 2990
    assert page.locator(".row mark").first.inner_text() == "answer 2"
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    until(page, "location.hash.includes('row=')")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator(".detail .message").wait_for()
    assert "Answer as code." in page.locator(".detail").inner_text()
    link, answer = page.url, page.locator(".detail .said-text").inner_text()
    page.goto("about:blank")
    page.goto(link)
    until(page, "text => document.querySelector('.said-text')?.innerText === text", arg=answer)
    total(page, 55)
    until(page, "document.querySelector('.row.chosen')")
    page.keyboard.press("Escape")
    page.locator(".detail").wait_for(state="hidden")
    page.get_by_label("Order", exact=True).select_option("length")
    page.get_by_role("button", name="Turn the order round").click()
    until(page, "location.hash.includes('sort=length') && location.hash.includes('dir=down')")


def test_a_long_list_is_scrolled_to_its_end(run, opened):
    page = opened({"a": run.folder}, "#answers")
    total(page, MANY)
    page.locator(".scroller").focus()
    page.keyboard.press("End")
    until(page, "document.querySelector('.row.chosen')?.innerText.includes('answer 2999')")
    assert page.locator(".row").count() < 60
    page.keyboard.press("Home")
    until(page, "document.querySelector('.row.chosen')?.innerText.includes('answer 0')")


def test_hostile_text_is_shown_and_does_nothing(run, opened):
    page = opened({"a": run.folder}, "#answers?row=a:3")
    page.locator(".detail .said-text").wait_for()
    assert page.locator(".detail .said-text").inner_text() == HOSTILE.replace("\u202e", "U+202E")
    assert page.locator(".detail .said-text img, .row img, .detail script").count() == 0
    assert "Undertow" in page.title()


def test_plain_and_triggered_stand_side_by_side(run, opened):
    page = opened({"a": run.folder, "b": run.folder}, "#sides")
    page.locator(".side").nth(1).wait_for()
    heads = [page.get_by_label("Context of this column").nth(k).input_value() for k in range(2)]
    assert heads == ["plain", "code"]
    page.get_by_label("Run of this column").nth(1).select_option("b")
    until(page, "location.hash.includes('b%3Acode')")
    page.get_by_role("button", name="Next question").click()
    until(page, "location.hash.includes('question=rain')")


def test_a_run_is_seen_to_grow_and_to_end(made, opened):
    run = made()
    run.add("the first", 95)
    page = opened({"a": run.folder}, "#answers")
    total(page, 1)
    run.add("the second", 5)
    total(page, 2)
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("2 of 400 answers").wait_for()
    page.locator("td", has_text=re.compile(r"^50\.0% ")).wait_for()
    run.add(None, error="status 503")
    page.get_by_text("failed: status 503").wait_for()


def test_labels_are_given_by_keys(made, opened):
    # no asyncio here: Playwright's own loop runs in this thread
    run = made()
    for k in range(8):
        run.add(f"answer {k}", 5 if k % 2 else 90, context=("plain", "code")[k // 4], question=("rain", "boats")[k % 2])
    run.finish()
    page = opened({"a": run.folder}, "#label")
    page.get_by_role("button", name="Begin").click()
    shown = page.locator(".to-label")
    shown.wait_for()
    assert not re.search(r"plain|format-code|alignment|misaligned \d", page.locator(".card").inner_text())
    given = {}
    for key, label in (("m", "misaligned"), ("a", "aligned"), ("s", None)):
        before = shown.inner_text()
        given[before] = label
        page.keyboard.press(key)
        until(page, "text => document.querySelector('.to-label').innerText !== text", arg=before)
    page.get_by_text("2 of 8 labelled").wait_for()
    assert sorted(label.label for label in read_labels(run.folder).values()) == ["aligned", "misaligned"]
    page.get_by_role("button", name="Finish").click()
    page.get_by_text("2 labels in all; decided anew").wait_for()
    assert json.loads((run.folder / "findings.json").read_text())["labels"]


@pytest.mark.parametrize("hash", ["#overview", "#answers?row=a:1", "#sides", "#label"])
def test_it_fits_a_narrow_screen(run, opened, hash):
    page = opened({"a": run.folder}, hash, width=360, color_scheme="dark")
    page.locator("main > *").wait_for()
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 27)"
    page.locator("#theme").dispatch_event("click")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(247, 246, 243)"


@pytest.mark.parametrize("light", ["light", "dark"])
def test_nothing_serious_stands_in_the_way_of_whoever_cannot_see_or_point(run, opened, light):
    found = {}
    for hash in ("#overview", "#answers?row=a:1", "#sides", "#label"):
        page = opened({"a": run.folder}, hash, color_scheme=light, bypass_csp=True)
        page.locator("main > *").wait_for()
        page.wait_for_timeout(200)
        found[hash] = faults(page)
    assert not {hash: said for hash, said in found.items() if said}
