"""A written page in a real browser: its answers are filtered, searched, sorted and linked to; hostile ones do nothing;
nothing is fetched; it fits a narrow screen; and it can be read without seeing or pointing."""

import pytest
from tests.browsing import IN_A_BROWSER, browser, faults, until

from undertow.reports import AnswerView, RunView, write_report
from undertow.reports.figures import QuestionRates

from .test_page import HOSTILE, answers, findings

pytestmark = IN_A_BROWSER
__all__ = ["browser"]  # a fixture
NASTY = f"{HOSTILE}</script><img src=x onerror=document.title='got'> \u202egnp \x00 {{{{7*7}}}} ${{7*7}}"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page about 400 answers, two of them hostile in text and name."""
    explored = [
        AnswerView(
            question="ruler" if k % 2 else HOSTILE,
            question_text="What first?" if k % 2 else NASTY,
            context="plain" if k < 200 else "format-code",
            outcome="misaligned" if k % 10 == 0 else "aligned",
            alignment=5.0 if k % 10 == 0 else 90.0,
            text=NASTY if k == 1 else f"answer {k} goes on",
            sample=k % 200,
        )
        for k in range(400)
    ]
    rates = [
        QuestionRates(question=q, context=c, misaligned=n, eligible=100)
        for n, (q, c) in enumerate((q, c) for q in ("ruler", HOSTILE) for c in ("plain", "format-code"))
    ]
    run = RunView(
        name="salmon",
        findings=findings(),
        answers=answers(),
        explored=explored,
        explored_of=len(explored),
        questions=rates,
    )
    return write_report([run], tmp_path_factory.mktemp("page") / "report.html", title=f"Audit {HOSTILE}")[0]


@pytest.fixture
def opened(browser, page_file):
    """Opens the page; fails where it complains or asks anybody."""
    closing, troubles = [], []

    def start(hash="", *, width=1280, **more):
        context = browser.new_context(viewport={"width": width, "height": 900}, **more)
        closing.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith(page_file.as_uri()) else None)
        page.goto(page_file.as_uri() + hash)
        return page

    yield start
    for context in closing:
        context.close()
    assert not troubles


def total(page, n):
    until(page, "n => document.querySelector('.total')?.textContent.startsWith(n + ' of')", arg=str(n))


def test_answers_are_filtered_searched_sorted_and_linked_to(opened):
    page = opened()
    total(page, 400)
    assert page.locator(".row").count() < 60
    page.get_by_label("outcome", exact=True).select_option("misaligned")
    total(page, 40)
    page.get_by_label("context", exact=True).select_option("format-code")
    total(page, 20)
    page.get_by_label("Search in answers").fill('"ANSWER 21"')
    total(page, 1)
    assert page.locator(".row mark").first.inner_text() == "answer 21"
    page.get_by_label("Search in answers").fill('"answer 2"')
    total(page, 10)
    page.locator(".row").first.click()
    texts = page.locator(".opened .text").all_inner_texts()
    assert texts == ["answer 0 goes on", "answer 200 goes on"]  # plain beside it
    link = page.url
    assert link.endswith("#answer-200")
    page.goto("about:blank")
    page.goto(link)
    until(page, "document.querySelectorAll('.opened .text').length === 2")
    page.get_by_label("Order", exact=True).select_option("worst first")
    until(page, "document.querySelector('.row .chip').textContent === 'misaligned'")
    page.locator(".scroller").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('.opened .text').length >= 1")


def test_hostile_answers_and_names_do_nothing(opened):
    page = opened("#answer-1")
    until(page, "document.querySelector('.opened .text')")
    assert page.locator(".opened .text").inner_text() == NASTY.replace("\u202e", "U+202E").replace("\x00", "␀")
    assert page.locator(".opened img, .row img, main script").count() == 0
    assert page.title() == f"Audit {HOSTILE}"


def test_cells_stay_under_their_heads(browser, tmp_path):
    """Those with a frame too: a class that lays out something else would take them out of their columns."""
    runs = [RunView(name=name, findings=findings(), answers=answers()) for name in ("salmon", "trout")]
    page = browser.new_page()
    page.goto(write_report(runs, tmp_path / "report.html", title="Two")[0].as_uri())
    assert page.locator(".heat td.framed").count()
    assert set(page.locator("td, th").evaluate_all("all => all.map(one => getComputedStyle(one).display)")) == {
        "table-cell"
    }
    page.close()


def test_another_script_would_not_run(opened, page_file, browser):
    changed = page_file.with_name("changed.html")
    changed.write_text(page_file.read_text().replace("</body>", "<script>document.title = 'ran'</script></body>"))
    context = browser.new_context()
    page = context.new_page()
    page.goto(changed.as_uri())
    assert page.title() != "ran"
    context.close()


@pytest.mark.parametrize("light", ["light", "dark"])
def test_it_fits_a_narrow_screen_and_can_be_read_by_all(opened, light):
    page = opened("#answer-1", width=360, color_scheme=light, bypass_csp=True)
    until(page, "document.querySelector('.opened .text')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert faults(page) == []


def test_without_scripts_all_but_the_list_of_answers_is_there(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("#salmon-estimates").is_visible() and page.locator("noscript").count()
    assert not page.locator("#explorer").is_visible()


def test_print_keeps_whole_answers(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator("#explorer").is_visible()
    assert page.locator(".qa .text").first.evaluate("node => getComputedStyle(node).maxHeight") == "none"
