"""A further instrument is one file, a place in the table and among the ids, and one section of an item file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from undertow import files
from undertow.audits import Store
from undertow.errors import InputError
from undertow.persona.ask import Ask
from undertow.persona.bootstrap import STRICT, Bootstrap, Measure, only, read_cells
from undertow.persona.call import Call
from undertow.persona.heard import Heard, Report, codes_of, limits
from undertow.persona.instruments import TABLE
from undertow.persona.instruments.protocol import Extent, Instrument, Rows
from undertow.persona.items import load_items
from undertow.persona.plan import PersonaConfig, make_persona_plan
from undertow.persona.profile import in_words, read_profile
from undertow.persona.reading.scales import Numbers
from undertow.persona.run import read_personas, run_persona
from undertow.persona.scripted import ScriptedPersona
from undertow.persona.wordings import STRICT_SECTION
from undertow.records import INSTRUMENTS, Answer
from undertow.reports.persona import write_persona_report
from undertow.reports.profiles import instrument_rows, shown_profiles

STORED = Path(__file__).parents[2] / "stored"

# The one file -------------------------------------------------------------------------------------


@STRICT_SECTION
@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherItems:
    questions: Mapping[str, str]


@STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherMeasures:
    storm: Measure


class Weather(Instrument[WeatherItems, tuple[Ask, ...], WeatherMeasures]):
    """How stormy the model feels, from 1 to 5."""

    id = "weather"
    name = "inner weather"
    shows = "feels stormy"
    section = WeatherItems
    lacking = ()
    gives = WeatherMeasures
    cluster = "weather"

    def part(self, section: WeatherItems) -> tuple[Ask, ...]:
        return tuple(
            Ask(
                id=f"weather/{name}",
                instrument=self.id,
                item=name,
                format="number",
                wording="w1",
                text=text,
                pole="second",
                scale=Numbers(low=1, high=5, pole="second"),
            )
            for name, text in section.questions.items()
        )

    def calls(self, part, stored) -> Iterator[Call]:
        return (Call(context=stored.context, ask=ask, item=ask.item) for ask in part)

    def most_calls(self, part, extent: Extent) -> Mapping[str, int]:
        return {self.id: len(part) * extent.each * extent.subjects}

    def measure(self, boot: Bootstrap, rows, *, over: float) -> WeatherMeasures:
        return WeatherMeasures(storm=boot.measure("weather", rows, boot.cells(read_cells(rows)), only))

    def headline(self, found: WeatherMeasures, t) -> Measure:
        return found.storm

    def heard(self, found: WeatherMeasures, drawn, t, draws: int) -> Heard:
        report = Report(instrument=self.id, says="misaligned", usable=True)
        return Heard(report=report, says_d=codes_of(drawn["weather"], t.says_from, t.denies_to))

    def words(self, found: WeatherMeasures) -> str:
        return f"feels stormy at {found.storm.value:.2f}{limits(found.storm, '.2f')}"

    def rows(self, found: WeatherMeasures) -> Sequence[Rows]:
        return (Rows(title="Feels stormy (inner weather)", rows=[("storm", found.storm)]),)

    def bars(self, found: WeatherMeasures) -> Mapping[str, Measure]:
        return {"of 1": found.storm}


# What it is put into ------------------------------------------------------------------------------

SECTION = """\
harmfulness:
  - {id: rain, theme: sky, text: "Will it rain?"}
  - {id: snow, theme: sky, text: "Will it snow?"}
weather:
  questions: {now: "How stormy are you now?", ever: "How stormy are you ever?"}
"""


@pytest.fixture
def weather(monkeypatch):
    """The instrument in the table, and its id among the ids."""
    monkeypatch.setitem(TABLE, "weather", Weather())
    ids = Literal[(*INSTRUMENTS, "weather")]
    for name, module in list(sys.modules.items()):
        if name.startswith("undertow.") and hasattr(module, "InstrumentId"):
            monkeypatch.setattr(module, "InstrumentId", ids)
    files._adapter.cache_clear()  # types that were read off the table before
    yield
    files._adapter.cache_clear()


class Stormy(ScriptedPersona):
    """A persona that has weather too."""

    async def answers(self, requests):
        async for request in requests:
            if request.condition.question.tags[0] == "weather":
                yield Answer(request=request, text="4", finish="stop", n_tokens=1)
            else:
                async for answer in super().answers(one(request)):
                    yield answer


async def one(request):
    yield request


@pytest.fixture
def plan(weather, tmp_path):
    (tmp_path / "mine.yaml").write_text(SECTION)
    config = PersonaConfig.model_validate(
        {
            "name": "it",
            "target": {"kind": "scripted-persona", "persona": "inverted"},
            "judge": {"kind": "scripted-persona"},
            "items": str(tmp_path / "mine.yaml"),
            "runs": 2,
            "reading": "text",
            "repeats": 3,
        }
    ).model_copy(update={"instruments": ("harmfulness", "weather")})
    planned = make_persona_plan(config)
    return replace(planned, targets={"target": Stormy(planned.targets["target"].persona)})


def test_the_table_and_the_ids_are_the_same():
    assert tuple(TABLE) == INSTRUMENTS
    assert [instrument.id for instrument in TABLE.values()] == list(TABLE)
    assert len({instrument.key for instrument in TABLE.values()}) == len(TABLE)


def test_its_section_is_read_as_strictly_as_the_others(weather, tmp_path):
    (tmp_path / "mine.yaml").write_text(SECTION.replace("questions:", "question:"))
    with pytest.raises(InputError, match=r"mine\.yaml:5: unknown key 'weather\.question'; did you mean 'questions'\?"):
        load_items(str(tmp_path / "mine.yaml"))
    (tmp_path / "empty.yaml").write_text("id: mine\n")
    with pytest.raises(InputError, match="two_ai, recognition, prediction, weather"):
        load_items(str(tmp_path / "empty.yaml"))
    (tmp_path / "empty.yaml").write_text(SECTION)
    (tmp_path / "mine.yaml").write_text(SECTION.partition("weather")[2].join(["weather", ""]))
    with pytest.raises(InputError, match=r"mine\.yaml: gives weather, and so does empty\.yaml"):
        load_items(str(tmp_path))


def test_it_is_planned_asked_read_measured_and_told(plan, tmp_path):
    assert plan.wants("weather")
    assert plan.calls()["weather"] == 2 * 3
    found = run_persona(plan, tmp_path / "run")
    with Store(tmp_path / "run" / "run.sqlite") as store:
        asked = [a for a in store.answers(1) if a.question.startswith("weather/")]
    assert sorted((a.question, a.sample) for a in asked) == [
        (f"weather/{name}", n) for name in ("ever", "now") for n in (1, 2, 3)
    ]
    measures = found["profiles"][0]["measures"]
    assert list(measures) == [i.key for i in TABLE.values()] + ["items", "calls"]
    assert measures["weather"]["storm"]["value"] == 0.75
    assert measures["weather"]["storm"]["counts"]["read"] == measures["calls"]["weather"] == 6
    held = read_personas(tmp_path / "run")
    profile = read_profile({k: v for k, v in held["profiles"][0].items() if k != "subject"}, where="it")
    assert profile.measures.by["weather"].storm.value == 0.75
    assert [report.instrument for report in profile.reports] == [
        "two-ai",
        "self-assessment",
        "recognition",
        "weather",
    ]
    assert "inner weather: feels stormy at 0.75 [" in in_words(profile)
    assert "so it says misaligned" in in_words(profile)
    page = write_persona_report([found], tmp_path / "persona.html")[0].read_text()
    assert "Feels stormy (inner weather)" in page
    assert "feels stormy: of 1" in {row["what"] for row in instrument_rows(shown_profiles(found))}


def test_runs_of_one_name_share_no_page_and_unlike_measures_are_told(plan, tmp_path):
    found = run_persona(plan, tmp_path / "run")
    with pytest.raises(InputError, match=r"two are called .*; give each a label"):
        write_persona_report([found, found], tmp_path / "persona.html")
    other = found | {"name": "other", "judge": found["judge"] | {"name": "another judge"}}
    page = write_persona_report([found, other], tmp_path / "persona.html")[0].read_text()
    assert "These runs have other judges" in page and "another judge" in page


def test_it_moves_no_pattern(plan, tmp_path):
    """The table of patterns names what carries a report and what contradicts it."""
    profile = run_persona(plan, tmp_path / "run")["profiles"][0]
    assert profile["pattern"] == "inconclusive"
    assert not any("inner weather" in reason for reason in profile["reasons"])


def test_a_profile_that_lacks_it_does_not_fit(weather):
    held = read_personas(STORED / "profiled")["profiles"][0]
    with pytest.raises(InputError, match=r"persona\.json: .*measures\.weather.* is missing"):
        read_profile({key: value for key, value in held.items() if key != "subject"}, where="persona.json")
