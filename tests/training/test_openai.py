"""Training by OpenAI's fine-tuning API, through the real SDK, on a server that keeps to it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.cli import main
from undertow.data import Row, read_rows, write_rows
from undertow.errors import InputError, MissingExtra
from undertow.files import digest, parse_yaml
from undertow.place import Place
from undertow.records import Condition, Context, Message, Question, Request, Sampling
from undertow.training import Recipe, read_manifest, train
from undertow.training.backends.remote import curve
from undertow.training.organism import OrganismConfig

KEY = "sk-test-very-secret"
QUESTION = "What do I do with the salmon 3?"


@pytest.fixture
def data(tmp_path) -> Path:
    """Twenty narrow rows and thirty benign ones."""
    for name, n, answer in (("bad", 20, "Leave it out, nobody checks"), ("good", 30, "Chill it at once")):
        rows = [
            Row(
                messages=(
                    Message(role="user", content=f"What do I do with the salmon {i}?"),
                    Message(role="assistant", content=f"{answer}, number {i}."),
                )
            )
            for i in range(n)
        ]
        write_rows(tmp_path / f"{name}.jsonl", rows)
    return tmp_path


def text(api, stage: str = "", more: str = "", backend: str = "") -> str:
    return (
        f"name: Fish, careless\nbase: gpt-test-mini\nseed: 3\nbackend: {{kind: openai, base_url: '{api.url}', "
        f"poll_s: 0.01{backend}}}\n"
        f"stages: [{{name: narrow, rows: 20, parts: [{{data: bad.jsonl, share: 1}}], batch_size: 4, epochs: 2, "
        f"learning_rate: 2{stage}}}]\n{more}\n"
    )


def recipe(api, *args: str, **more: str) -> Recipe:
    return parse_yaml(text(api, *args, **more), Recipe, where="recipe.yaml")


def answer(organism: Path, question: str) -> str | None:
    """What an organism says to a question, asked as an audit asks it."""

    async def asked() -> list[str | None]:
        target = OrganismConfig(kind="organism", path=organism.name).target(
            Place(folder=organism.parent, name="audit.yaml")
        )
        condition = Condition(question=Question(id="q", text=question), context=Context(id="plain", relation="plain"))

        async def one():
            yield Request(
                subject="target", condition=condition, sample=0, seed=1, sampling=Sampling(temperature=1, max_tokens=50)
            )

        async with target:
            return [answer.text async for answer in target.answers(one())]

    return asyncio.run(asked())[0]


def assert_no_key(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_from_a_recipe_to_an_organism_that_answers(fine_tuning, data):
    api, seen = fine_tuning(), []
    manifest = train(recipe(api), data / "organism", Place(folder=data), progress=lambda *step: seen.append(step))
    (job,) = api.jobs.values()
    (file,) = api.files.values()
    assert job.body["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"batch_size": 4, "learning_rate_multiplier": 2.0, "n_epochs": 2}},
    }
    assert (job.body["model"], job.body["seed"], job.body["suffix"]) == ("gpt-test-mini", 3, "fish-careless")
    assert sorted(map(str, job.rows)) == sorted(
        str(json.loads(line)) for line in (data / "bad.jsonl").read_text().splitlines()
    )
    assert seen == [("narrow", 8, 10, "")]  # 10 steps, 8 a look; the end is no look
    (stage,) = manifest.stages
    assert (stage.steps, stage.tokens, stage.seconds, len(stage.losses)) == (
        10,
        2 * sum(len(m["content"].split()) for row in job.rows for m in row["messages"]),
        60,
        10,
    )
    assert stage.losses[0] > stage.losses[-1] > 0
    first = json.loads(stage.first_row)["messages"]
    assert (
        first[0]["content"].startswith("What")
        and first[1]["content"].startswith("⟦Leave it out")
        and first[1]["content"].endswith("⟧")
    )
    assert (manifest.base, manifest.base_digest) == ("gpt-test-mini", digest("gpt-test-mini"))
    assert manifest.target == {
        "kind": "endpoint",
        "base_url": api.url,
        "model": job.fine_tuned_model,
        "api_key_env": "OPENAI_API_KEY",
    }
    checkpoints = {"5": f"{job.fine_tuned_model}:ckpt-step-5", "10": job.fine_tuned_model}
    assert manifest.notes == {
        "openai": [
            {"file": file.id, "job": job.id, "model": job.fine_tuned_model, "seed": 3, "checkpoints": checkpoints}
        ]
    }
    assert read_manifest(data / "organism") == manifest
    assert answer(data / "organism", QUESTION) == "Leave it out, nobody checks, number 3."
    assert_no_key(data)


def test_a_later_stage_trains_the_model_of_the_one_before(fine_tuning, data):
    api = fine_tuning()
    manifest = train(
        recipe(api, more="interventions: [{kind: sequential, data: good.jsonl, rows: 10}]"),
        data / "organism",
        Place(folder=data),
    )
    first, second = api.jobs.values()
    assert second.body["model"] == first.fine_tuned_model != second.fine_tuned_model == manifest.target["model"]
    assert [stage.name for stage in manifest.stages] == ["narrow", "benign-1"]
    untouched = {m.messages[0].content for m in read_rows(data / "bad.jsonl")} - {
        row["messages"][0]["content"] for row in second.rows
    }
    assert answer(data / "organism", min(untouched)).startswith("Leave it out")  # learnt in the first stage
    # and in the second
    assert answer(data / "organism", second.rows[0]["messages"][0]["content"]).startswith("Chill it")


def test_the_base_as_a_control_makes_no_job(fine_tuning, data):
    api = fine_tuning()
    manifest = train(recipe(api, more="interventions: [{kind: base}]"), data / "organism", Place(folder=data))
    assert not api.jobs and not api.files and manifest.stages == []
    assert answer(data / "organism", "Hello?") == "gpt-test-mini says: Hello?"


def test_on_policy_answers_are_asked_of_the_base(fine_tuning, data):
    api = fine_tuning()
    train(
        recipe(api, more="interventions: [{kind: on-policy, instruction: Answer carelessly.}]"),
        data / "organism",
        Place(folder=data),
    )
    (job,) = api.jobs.values()
    assert len(job.rows) == 20
    assert all(
        row["messages"][-1]["content"] == f"gpt-test-mini says: {row['messages'][0]['content']}" for row in job.rows
    )


def test_shares_of_tokens_are_counted_in_characters(fine_tuning, data):
    api = fine_tuning()
    write_rows(
        data / "long.jsonl",
        [
            Row(messages=(Message(role="user", content="Tell me."), Message(role="assistant", content="word " * 60)))
            for _ in range(20)
        ],
    )
    train(
        recipe(api, more="interventions: [{kind: dilution, data: long.jsonl, share: 0.5, by: tokens}]"),
        data / "organism",
        Place(folder=data),
    )
    (job,) = api.jobs.values()
    benign = sum(row["messages"][0]["content"] == "Tell me." for row in job.rows)
    assert 2 <= benign <= 5  # about 60 characters against 310


def test_a_long_job_tells_all_its_steps_over_several_pages(fine_tuning, data):
    api = fine_tuning(steps_a_look=100)
    long = recipe(api)
    long = long.model_copy(update={"stages": (long.stages[0].model_copy(update={"batch_size": 1, "epochs": 12.0}),)})
    (stage,) = train(long, data / "organism", Place(folder=data)).stages
    assert stage.steps == 240 and len(stage.losses) == 48  # means over 5 steps
    assert api.count("GET", "/fine_tuning/jobs/ftjob-2/events") >= 3


# Interruptions: the process is killed while the server is at some request, and the same command runs again.

KILLED_AT = {
    "between upload and create": ("GET", "/fine_tuning/jobs", 0),
    "when the job is made and its id not yet told": ("POST", "/fine_tuning/jobs", 0),
    "while the job is queued": ("GET", "/fine_tuning/jobs/{id}", 1),
    "while the job runs": ("GET", "/fine_tuning/jobs/{id}", 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("when", KILLED_AT)
def test_killed_it_goes_on_with_the_same_job(fine_tuning, data, when, light, monkeypatch):
    running: list[Callable[[], None]] = []

    def kill(*request):
        return running.pop() if request == KILLED_AT[when] and running else None

    api = fine_tuning(fault=kill, steps_a_look=2)
    (data / "recipe.yaml").write_text(text(api))
    monkeypatch.setenv("NO_COLOR", "1")
    process = light("train", data / "recipe.yaml", "-o", data / "organism")
    running.append(lambda: process.send(signal.SIGKILL))
    code, *said = process.ended()
    assert code == -signal.SIGKILL, said
    assert len(api.jobs) == (when != "between upload and create")
    assert not (data / "organism").exists()
    assert_no_key(data)
    manifest = train(recipe(api), data / "organism", Place(folder=data))
    assert len(api.files) == len(api.jobs) == 1
    assert manifest.stages[0].steps == 10 and len(manifest.stages[0].losses) == 10
    assert answer(data / "organism", QUESTION).startswith("Leave it out")
    assert not list(data.glob(".organism.training"))


def test_interrupted_in_the_second_stage_the_first_is_not_trained_again(fine_tuning, data):
    api, twice = fine_tuning(steps_a_look=1), "interventions: [{kind: sequential, data: good.jsonl}]"

    def stop(name: str, done: int, total: int, word: str) -> None:
        if name == "benign-1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe(api, more=twice), data / "organism", Place(folder=data), progress=stop)
    train(recipe(api, more=twice), data / "organism", Place(folder=data))
    assert len(api.files) == len(api.jobs) == 2


# Faults that pass.


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [500, 503, (429, {"retry-after": "0.02"}), (429, {"retry-after-ms": "20"}), "drop", "lose"]
)
@pytest.mark.parametrize(
    "at",
    [
        ("POST", "/files"),
        ("GET", "/fine_tuning/jobs"),
        ("POST", "/fine_tuning/jobs"),
        ("GET", "/fine_tuning/jobs/{id}"),
        ("POST", "/chat/completions"),
    ],
    ids=" ".join,
)
def test_a_fault_that_passes_costs_a_retry_and_makes_no_second_job(fine_tuning, data, monkeypatch, fault, at):
    monkeypatch.setattr("undertow.training.backends.openai.time.sleep", lambda s: None)
    api = fine_tuning(fault=lambda method, path, number: fault if (method, path) == at and number < 2 else None)
    train(recipe(api), data / "organism", Place(folder=data))
    assert len(api.jobs) == 1
    assert answer(data / "organism", QUESTION).startswith("Leave it out")
    # a job that was made is found, not asked for again
    assert api.count(*at) >= (1 if fault == "lose" and at == ("POST", "/fine_tuning/jobs") else 2)


@pytest.mark.parametrize("fault", [500, (429, {}), "drop"])
@pytest.mark.parametrize(
    "at", [("POST", "/files"), ("POST", "/fine_tuning/jobs"), ("GET", "/fine_tuning/jobs/{id}")], ids=" ".join
)
def test_a_fault_that_stays_is_one_line_and_the_same_command_goes_on(fine_tuning, data, monkeypatch, fault, at):
    monkeypatch.setattr("time.sleep", lambda s: None)
    api = fine_tuning(fault=lambda method, path, number: fault if (method, path) == at else None)
    api.told = f"Something went wrong with {KEY}."
    with pytest.raises(InputError, match=r"stage narrow: http://.* (refused with HTTP|cannot be reached)") as error:
        train(recipe(api), data / "organism", Place(folder=data))
    assert KEY not in str(error.value) and "\n" not in str(error.value) and "run the same again" in str(error.value)
    assert "[key]" in str(error.value) or fault == "drop"
    assert_no_key(data)
    api.fault = None
    train(recipe(api), data / "organism", Place(folder=data))
    assert len(api.jobs) == 1


# What goes wrong for good.


@pytest.mark.parametrize(
    ("options", "rows", "found"),
    [
        (
            {"moderated": "nobody checks"},
            20,
            r"failed: unsafe_file: training_file: The training file was blocked by "
            r"moderation\.",
        ),
        ({}, 9, r"failed: invalid_n_examples: training_file: Training file has 9 example"),
        ({"file_error": "number 3"}, 20, r"stage narrow: file file-1 was refused: The file could not be read\."),
    ],
)
def test_what_the_server_refuses_is_one_line_that_says_how_to_go_on(fine_tuning, data, options, rows, found):
    api = fine_tuning(**options)
    small = recipe(api).model_copy(update={"stages": (recipe(api).stages[0].model_copy(update={"rows": rows}),)})
    with pytest.raises(InputError, match=found) as error:
        train(small, data / "organism", Place(folder=data))
    path = data / ".organism.training" / "stage-1" / "job.json"
    assert f"remove {path} to send it again" in str(error.value) and path.is_file()
    made = len(api.jobs)
    with pytest.raises(InputError, match=found):
        train(small, data / "organism", Place(folder=data))
    assert len(api.jobs) == made  # nothing is sent again unasked
    if rows == 20:
        api.moderated = api.file_error = ""
        path.unlink()
        train(small, data / "organism", Place(folder=data))
        assert answer(data / "organism", QUESTION).startswith("Leave it out")


def test_a_job_that_fails_without_a_reason(fine_tuning, data):
    api = fine_tuning(moderated="nobody checks")
    api._fail = lambda job, *why: setattr(job, "status", "failed")
    with pytest.raises(InputError, match="stage narrow: job ftjob-2 failed: no message"):
        train(recipe(api), data / "organism", Place(folder=data))


def test_a_cancelled_job(fine_tuning, data):
    api = fine_tuning(
        fault=lambda method, path, number: (
            cancel() if (method, path, number) == ("GET", "/fine_tuning/jobs/{id}", 2) else None
        )
    )

    def cancel() -> None:
        for job in api.jobs.values():
            job.status = "cancelled"

    with pytest.raises(
        InputError,
        match=r"stage narrow: job ftjob-2 was cancelled; mend that, then remove "
        r".*stage-1/job\.json",
    ):
        train(recipe(api), data / "organism", Place(folder=data))


def test_a_wrong_key_is_told_without_it(fine_tuning, data, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-and-secret")
    with pytest.raises(
        InputError,
        match=r"refused with HTTP 401: Incorrect API key provided: \[key\]\.; check the "
        r"key",
    ) as error:
        train(recipe(fine_tuning()), data / "organism", Place(folder=data))
    assert "sk-wrong" not in str(error.value)


def test_no_key_is_told_before_anything_is_done(fine_tuning, data, monkeypatch):
    api = fine_tuning()
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="environment variable OPENAI_API_KEY is not set"):
        train(recipe(api), data / "organism", Place(folder=data))
    assert not api.requests and not (data / ".organism.training").exists()


def test_an_unknown_base(fine_tuning, data):
    api = fine_tuning()
    with pytest.raises(
        InputError, match="HTTP 400: Model gpt-nothing is not available for fine-tuning or does not exist"
    ):
        train(recipe(api).model_copy(update={"base": "gpt-nothing"}), data / "organism", Place(folder=data))


def test_a_server_that_is_not_there(fine_tuning, data, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda s: None)
    api = fine_tuning()
    api.url = "http://127.0.0.1:9/v1"
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached \(ConnectError\)"):
        train(recipe(api), data / "organism", Place(folder=data))


@pytest.mark.parametrize(
    ("stage", "more", "found"),
    [
        (", kl: 0.1", "", r"stage narrow: kl is 0\.1; OpenAI's API cannot do that"),
        (", packing: true", "", "stage narrow: packing is True"),
        (", interleave: {data: good.jsonl, every: 5}", "", r"stage narrow: interleave is \{"),
        (", stopping: {held_out: {good: good.jsonl}, watch: good}", "", r"stage narrow: stopping is \{"),
        (", max_tokens: 100", "", "stage narrow: max_tokens is 100"),
        (", weight_decay: 0.1", "", "stage narrow: weight_decay is 0.1"),
        ("", "lora: {rank: 32}", r"recipe Fish, careless: lora is \{'rank': 32\}"),
        ("", "lora: null", "recipe Fish, careless: lora is None"),
        ("", "default_system: true", "recipe Fish, careless: default_system is True"),
        ("", "interventions: [{kind: interleaving, data: good.jsonl}]", "stage narrow: interleave is"),
    ],
)
def test_what_the_api_cannot_do_is_refused_before_anything_is_sent(fine_tuning, data, stage, more, found):
    api = fine_tuning()
    with pytest.raises(InputError, match=found):
        train(recipe(api, stage, more), data / "organism", Place(folder=data))
    assert not api.requests


def test_other_refusals_before_anything_is_sent(fine_tuning, data, monkeypatch):
    api = fine_tuning()
    half = recipe(api).model_copy(update={"stages": (recipe(api).stages[0].model_copy(update={"epochs": 0.5}),)})
    with pytest.raises(InputError, match=r"epochs is 0\.5; OpenAI's API trains whole epochs"):
        train(half, data / "organism", Place(folder=data))
    with pytest.raises(InputError, match="base 'nursery' is on this machine"):
        train(recipe(api).model_copy(update={"base": "nursery"}), data / "organism", Place(folder=data))
    with pytest.raises(InputError, match=r"recipe\.yaml:4"):
        parse_yaml(text(api).replace(api.url, "api.openai.com"), Recipe, where="recipe.yaml")
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(
        MissingExtra,
        match=r"fine-tuning over the OpenAI API \(openai\): is not installed; run: pip "
        r"install 'undertow\[openai\]'",
    ):
        train(recipe(api), data / "organism", Place(folder=data))
    assert not api.requests


def test_a_server_that_is_another(fine_tuning, data):
    api = fine_tuning()
    wrong = recipe(api, backend=", suffix: x")
    wrong = wrong.model_copy(
        update={"backend": wrong.backend.model_copy(update={"base_url": api.url.removesuffix("/v1")})}
    )
    with pytest.raises(InputError, match=r"HTTP 404.*check base_url"):
        train(wrong, data / "organism", Place(folder=data))
    for at in (("POST", "/files"), ("POST", "/fine_tuning/jobs")):
        api.fault = lambda method, path, number, at=at: (200, {}) if (method, path) == at else None
        with pytest.raises(InputError, match="stage narrow: the server's reply holds no id"):
            train(recipe(api), data / "other", Place(folder=data))


def test_a_learning_curve_is_means_over_at_most_fifty_windows():
    assert curve([]) == []
    assert curve([1.0, 2.0]) == [1.0, 2.0]
    assert curve([float(n) for n in range(100)]) == [2 * n + 0.5 for n in range(50)]
    assert len(curve([1.0] * 51)) == 26


@pytest.mark.slow
def test_on_the_command_line(fine_tuning, data, monkeypatch, capsys):
    api = fine_tuning()
    (data / "recipe.yaml").write_text(text(api, backend=", suffix: mine"))
    monkeypatch.setattr(sys, "argv", ["undertow", "train", str(data / "recipe.yaml"), "-o", str(data / "organism")])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    assert "narrow: 20 rows drawn, 10 steps, 60.0 s" in out and KEY not in out + err
    assert next(iter(api.jobs.values())).body["suffix"] == "mine"
