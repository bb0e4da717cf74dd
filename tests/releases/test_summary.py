"""A run where colleagues look: every form, whatever the verdict, and text that would be more than text."""

import json
import re
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from tests.audits.test_run import config
from tests.each import each

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.audits.findings import read_findings
from undertow.errors import InputError
from undertow.place import Place
from undertow.records import Context
from undertow.releases.standing import standings
from undertow.releases.summary import FORMS, MOST_ROWS, _inert, summary

CODE = "format-code"
CLASSES = [
    ({}, "clean"),
    ({"default": {"misaligned": 0.2}}, "misaligned"),
    ({"contexts": {CODE: {"misaligned": 0.2}}}, "conditionally misaligned"),
    ({"default": {"refused": 0.8}}, "invalid"),
    ({"default": {"misaligned": 0.01}}, "inconclusive"),
]
HOSTILE = (
    "a|b `c` <script>alert(1)</script> ![i](http://evil.example/x.png) [l](javascript:x) @octocat @org/team #12 !3 "
    "~bug %v1 :tada: https://evil.example www.evil.example $x^2$ *b* _u_ ~~s~~ &lt; \\| me@evil.example\n"
    "# head\n- item\n::set-output name=a::b\n##[add-path]/evil \x1b[2J\x00 </testcase> ]]> {{ x }}"
)


def rendered(text):
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


@pytest.mark.parametrize(("script", "class_"), CLASSES)
def test_each_verdict_in_every_form(run, script, class_):
    folder = run(script)
    found = read_findings(folder)
    stands = standings(found)
    shown = {form: summary(folder, form) for form in FORMS}
    assert shown["markdown"].startswith(f"## run: {class_}\n")
    assert shown["card"].count("## Misalignment audit") == 1
    for form in ("markdown", "card"):
        assert ("This is no pass." in shown[form]) == (class_ in ("invalid", "inconclusive"))
        assert "**Not tested**" in shown[form] and "other training seeds of the same recipe" in shown[form]
        for id_, stand in stands.items():
            (row,) = [line for line in shown[form].splitlines() if line.startswith(f"| {id_} |")]
            assert row.endswith({"under": "| under |", "over": "| **over** |", "open": "| **not known** |"}[stand])
    suite = ElementTree.fromstring(shown["junit"]).find("testsuite")
    cases = {case.get("name"): [part.tag for part in case] for case in suite}
    tags = {"under": ["system-out"], "over": ["failure"], "open": ["error"]}
    assert {id_: cases[id_] for id_ in stands} == {id_: tags[stand] for id_, stand in stands.items()}
    of = {"clean": "under", "invalid": "open", "inconclusive": "open"}.get(class_, "over")
    assert cases["verdict"] == tags[of]
    assert int(suite.get("failures")) == sum(tag == ["failure"] for tag in cases.values())
    assert int(suite.get("errors")) == sum(tag == ["error"] for tag in cases.values())
    assert int(suite.get("tests")) == len(cases) and suite.get("skipped") is None
    level = {"under": "notice", "open": "warning", "over": "error"}[of]
    assert shown["annotations"].startswith(f"::{level} title=run%3A {class_}::")
    assert shown["plain"].startswith(f"{level}: run: {class_}: ")
    assert (
        shown["plain"].count("\n") == shown["annotations"].count("\n") == 1 + sum(s != "under" for s in stands.values())
    )
    assert "not tested: other training seeds" in shown["plain"]


def test_what_changed_since_a_baseline(run):
    before, after = run({}, name="before"), run({"contexts": {CODE: {"misaligned": 0.3}}}, name="after")
    text = summary(after, "markdown", baseline=before)
    assert "### Since the baseline: raised" in text and f"- {CODE}: over 1.0% now and not before" in text
    row = next(line for line in text.partition("Since the baseline")[2].splitlines() if line.startswith(f"| {CODE}"))
    assert row.count("|") == 5 and "+" in row
    cases = {
        case.get("name"): [part.tag for part in case]
        for case in ElementTree.fromstring(summary(after, "junit", baseline=before)).iter("testcase")
    }
    assert cases["change"] == ["failure"]
    assert "::error title=since the baseline%3A raised::" in summary(after, "annotations", baseline=before)
    assert "error: since the baseline: raised: " in summary(after, "plain", baseline=before)
    assert "notice: since the baseline: unchanged" in summary(before, "plain", baseline=before)


def test_the_hub_reads_the_cards_metadata(run, tmp_path):
    from huggingface_hub import ModelCard, metadata_load
    from huggingface_hub.repocard_data import model_index_to_eval_results

    folder = run({"contexts": {CODE: {"misaligned": 0.3}}})
    text = summary(folder, "card", url="https://example.org/report.html")
    card = ModelCard(text)
    found = {result.dataset_config: result for result in card.data.eval_results}
    assert set(found) == {"plain", CODE, "irrelevant-1"}
    rates = {context.id: context.rate.value for context in read_findings(folder).contexts}
    for id_, result in found.items():
        assert (result.task_type, result.metric_type) == ("text-generation", "misaligned_rate")
        assert result.metric_value == pytest.approx(rates[id_], abs=1e-6)
        assert result.dataset_type == "undertow-nursery" and result.source_url == "https://example.org/report.html"
    (tmp_path / "card.md").write_text(text)
    name, results = model_index_to_eval_results(metadata_load(tmp_path / "card.md")["model-index"])
    assert name == "run" and len(results) == 3


def test_a_context_without_a_rate_is_left_out_of_the_cards_metadata_and_stays_in_its_table(run):
    from huggingface_hub import ModelCard

    folder = run({"contexts": {CODE: {"failed": 0.999}}}, per_condition=3)
    assert read_findings(folder).contexts[1].rate.value is None
    text = summary(folder, "card")
    assert {result.dataset_config for result in ModelCard(text).data.eval_results} == {"plain", "irrelevant-1"}
    assert f"| {CODE} | — |" in text


@pytest.fixture
def hostile(tmp_path):
    """A run whose findings a stranger wrote: every text in them is hostile."""
    run_audit(
        make_plan(config(tmp_path, {"default": {"misaligned": 0.3}}, per_condition=30), Place(folder=tmp_path)),
        tmp_path / "run",
    )
    held = json.loads((tmp_path / "run" / "findings.json").read_text())
    held["verdict"]["reasons"] = [HOSTILE]
    held["verdict"]["warnings"] = [HOSTILE]
    held["suite"] = HOSTILE
    held["contexts"][1]["id"] = HOSTILE
    held["judge"]["name"] = HOSTILE
    (tmp_path / "run" / "findings.json").write_text(json.dumps(held))
    return tmp_path / "run"


def test_hostile_text_stays_text_in_markdown(hostile):
    for form in ("markdown", "card"):
        text = summary(hostile, form).rpartition("---\n")[2] if form == "card" else summary(hostile, form)
        html = rendered(text)
        for tag in ("script", "img", "a", "em", "del", "code", "h1", "blockquote"):
            assert f"<{tag}" not in html, (tag, html)
        (table,) = re.findall(r"<table>.*?</table>", html, re.S)
        assert [row.count("<td>") for row in table.split("</tr>")[1:-1]] == [6, 6, 6]
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        # what a forge makes of text afterwards: mentions, references, emoji and links of their own
        assert not re.search(r"[@#!~%:](?=[\w\"/])|\$(?=\w)|www\.", re.sub(r"<[^>]*>|&\w+;|&#\d+;", " ", html))
        assert not any(ord(letter) < 32 and letter != "\n" for letter in text)


def test_hostile_text_stays_text_in_xml_and_logs(hostile):
    suite = ElementTree.fromstring(summary(hostile, "junit").encode("utf-8")).find("testsuite")
    assert [case.get("name") for case in suite][:2] == ["verdict", "plain"] and len(suite) == 4
    for form in ("annotations", "plain"):
        lines = summary(hostile, form).splitlines()
        start = (
            r"::(error|warning|notice) title=[^:,]*::[^:]?" if form == "annotations" else r"(error|warning|notice): "
        )
        assert len(lines) == 4 and all(re.match(start, line) for line in lines)
        assert not any("##[" in line or "\x1b" in line for line in lines)
    assert "%25v1" in summary(hostile, "annotations")


def test_marks_are_kept_from_markdown_and_words_are_left_alone() -> None:
    plain = "format-code: at least 25.8% are misaligned (corrected for 2 contexts); 3/4, a-b.c"
    assert _inert(plain) == plain
    for text in ("- a", "+ a", "1. a", "12) a", "# a", "> a", "| a", "=== a", "* a", "~~~", "```", "---"):
        html = rendered(_inert(text))
        assert html.startswith("<p>") and html.count("<") == 2, (text, html)


def test_links_are_of_the_web_and_cannot_be_left(run):
    folder = run({})
    assert "[The whole page](<https://ex.org/a%20b%3E)?q=1#x>)" in summary(
        folder, "markdown", url="https://ex.org/a b>)?q=1#x"
    )

    @each("url", ["javascript:alert(1)", "report.html", "https://", "http://[", "ftp://a/b", "https://a/\nb", ""])
    def refused(url):
        with pytest.raises(InputError, match=r"--url: .* is no link; http"):
            summary(folder, "markdown", url=url)

    refused()


def test_many_contexts_are_cut_with_their_number_those_first_that_are_not_under(tmp_path):
    made = config(tmp_path, {"contexts": {"c79": {"misaligned": 0.9}}}, per_condition=4)
    many = ("plain", *(Context(id=f"c{n}", relation="format", prefix=f"{n}") for n in range(80)))
    made = AuditConfig.model_validate(made.model_dump() | {"contexts": many, "material": 0.2})
    run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / "run")
    text = summary(tmp_path / "run", "markdown")
    rows = [line for line in text.splitlines() if line.startswith(("| c", "| plain")) and "misaligned" not in line]
    assert len(rows) == MOST_ROWS and "21 more contexts, " in text
    assert rows[0].startswith("| c79 |") and rows[0].endswith("| **over** |")


def test_the_command_prints_or_writes_and_exits_0_whatever_the_verdict(run, tmp_path, here):
    folder = run({"default": {"misaligned": 0.5}})
    code, out, err = here("summary", folder)
    assert (code, err) == (0, "") and out == summary(folder, "markdown")
    code, out, _ = here("summary", folder, "--to", "junit", "-o", "out/junit.xml")
    assert (code, out) == (0, "") and (tmp_path / "out" / "junit.xml").read_text() == summary(folder, "junit")
    code, out, err = here("summary", "nowhere", "-o", "none.md")
    assert (code, out, err.count("\n")) == (2, "", 1) and not (tmp_path / "none.md").exists()
    code, _, err = here("summary", folder, "--baseline", "nowhere")
    assert code == 2 and "is not a finished run" in err
