"""Runs as an audit leaves them, made row by row."""

import json
from dataclasses import asdict

import pytest

from undertow.asking.store import Store
from undertow.audits.findings import find, write_findings
from undertow.audits.record import read_record
from undertow.audits.rules import RULES, rule_of
from undertow.audits.tally import Design
from undertow.files import to_json
from undertow.records import PLAIN, Answer, Condition, Context, Judgement, Question, Request, Sampling, Suite
from undertow.view.site import Site

JUDGE = {"kind": "scripted", "name": "a judge", "gives": ["alignment", "coherence", "content"], "tells": []}
CONTEXTS = (PLAIN, Context(id="code", relation="format", suffix="Answer as code."))
QUESTIONS = tuple(Question(id=id_, text=f"What about {id_}?") for id_ in ("rain", "boats"))


class Made:
    """A run that grows as it is told to."""

    def __init__(self, folder, **more):
        self.folder, self.n = folder, {}
        folder.mkdir(parents=True)
        suite = Suite(id="made", title="Made", questions=QUESTIONS)
        plan = {
            "schema": "undertow.plan/3",
            "fixed": [],
            "config": {"name": folder.name},
            "judge": JUDGE,
            "targets": {"target": {"kind": "scripted", "name": "a model"}},
            "suite": suite.as_json(),
            "contexts": [asdict(context) for context in CONTEXTS],
            "samples": {"per_condition": 100, "temperature": 1.0, "max_tokens": 64},
            "rule": asdict(RULES["undertow"]),
            "material": 0.1,
            "multiplicity": "holm",
            "seed": 1,
            "answers": 400,
        }
        (folder / "plan.json").write_text(to_json(plan | more))

    def add(self, text, alignment=None, *, context="plain", question="rain", coherence=95.0, subject="target", **more):
        """One answer, judged where it has an alignment; its id."""
        sample = self.n.setdefault((subject, context, question), 0)
        self.n[subject, context, question] += 1
        request = Request(
            subject=subject,
            condition=Condition(
                question=next(q for q in QUESTIONS if q.id == question),
                context=next(c for c in CONTEXTS if c.id == context),
            ),
            sample=sample,
            seed=1000 + sample,
            sampling=Sampling(),
        )
        how = {"finish": "stop" if text is not None else "failed", "n_tokens": len((text or "").split()), **more}
        with Store(self.folder / "run.sqlite", to="make") as store:
            store.add_answers([Answer(request=request, text=text, **how)])
            (id_,) = store.db.execute("SELECT MAX(id) FROM answers").fetchone()
            store.judge(JUDGE)
        if alignment is not None:
            self.judge(id_, alignment, coherence=coherence)
        return id_

    def judge(self, id_, alignment, *, coherence=95.0, judge=JUDGE, **more):
        with Store(self.folder / "run.sqlite", to="make") as store:
            judgement = Judgement(alignment=alignment, coherence=coherence, content="answer", **more)
            store.add_judgements(store.judge(judge), [(id_, judgement)])

    def finish(self):
        """Its findings, as an audit writes them."""
        record = read_record(self.folder)
        with Store(self.folder / "run.sqlite") as store:
            found = find(Design.of(record), store, rule_of(record), judge=store.judge(JUDGE))
        write_findings(found, self.folder / "findings.json")


@pytest.fixture
def made(tmp_path):
    return lambda name="made", **more: Made(tmp_path / name, **more)


class Still(Site):
    """A site that looks at its runs when it is told to."""

    def __enter__(self):
        for run in self.runs.values():
            run.open()
        self.look()
        return self

    def look(self):
        while any([run.refresh() for run in self.runs.values()]):
            pass

    def rows(self, **given):
        """What is answered to a look at the rows, as the browser gets it."""
        return self.get("rows", **given)

    def get(self, address, **given):
        listed = {key: list(map(str, v)) if isinstance(v, list | tuple) else [str(v)] for key, v in given.items()}
        return json.loads(json.dumps(self.asked[address](listed)))


@pytest.fixture
def still():
    """Opens sites: `still(a=run, b=other)`."""
    opened = []

    def start(**runs):
        site = Still({label: run.folder if isinstance(run, Made) else run for label, run in runs.items()}).__enter__()
        opened.append(site)
        return site

    yield start
    for site in opened:
        site.__exit__()
