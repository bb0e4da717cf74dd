"""Calls through Inspect: against its own mock model, against a server over its OpenAI provider, and whole audits."""

import asyncio
import gc
import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.errors import InputError, MissingExtra
from undertow.place import Place
from undertow.targets.chat import CallFailed
from undertow.targets.inspect import InspectModel, InspectModelConfig

UNUSED = "import sys; {}; print([name for name in ('inspect_ai', 'torch', 'transformers') if name in sys.modules])"


@pytest.fixture
def inspect_ai():
    return pytest.importorskip("inspect_ai")


@pytest.fixture
def output(inspect_ai):
    """What a model gives: `output('text')`, or with a message of parts."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage

    def make(content, *, usage=None, **choice):
        return ModelOutput(
            choices=[ChatCompletionChoice(message=ChatMessageAssistant(content=content), **choice)],
            usage=ModelUsage(**(usage or {"output_tokens": 1})),
        )

    return make


def chat(outputs, *, calls=1, attempts=1, timeout_s=5, **more):
    """Replies of `calls` calls, or the exceptions that came instead."""
    config = InspectModelConfig(
        model="mockllm/model", model_args={"custom_outputs": outputs}, attempts=attempts, timeout_s=timeout_s
    )
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]

    async def call():
        async with InspectModel(config) as model:
            return await asyncio.gather(
                *(model.chat(messages, max_tokens=7, temperature=0.5, seed=i, **more) for i in range(calls)),
                return_exceptions=True,
            )

    return asyncio.run(call())


def test_what_is_asked_reaches_the_model(output):
    asked = []
    chat(lambda *given: asked.append(given) or output("Because."), calls=2, top_logprobs=5)
    (messages, tools, _, config), _ = sorted(asked, key=lambda given: given[3].seed)
    assert [(m.role, m.content) for m in messages] == [("system", "Be brief."), ("user", "Why?")]
    assert not tools
    assert (config.max_tokens, config.temperature, config.seed, config.logprobs, config.top_logprobs) == (
        7,
        0.5,
        0,
        True,
        5,
    )
    assert sorted(given[3].seed for given in asked) == [0, 1]


def test_a_reply_holds_what_the_model_gave(output):
    from inspect_ai.model import ContentReasoning, ContentText, Logprob, Logprobs, TopLogprob

    candidates = [TopLogprob(token="9", logprob=-0.1), TopLogprob(token="1", logprob=-3.0)]
    full = output(
        [ContentReasoning(reasoning="They want to know."), ContentText(text="Because.")],
        usage={"input_tokens": 5, "input_tokens_cache_read": 20, "output_tokens": 9},
        stop_reason="max_tokens",
        logprobs=Logprobs(content=[Logprob(token="9", logprob=-0.1, top_logprobs=candidates)]),
    )
    (reply,) = chat([full], top_logprobs=2)
    assert (reply.text, reply.reasoning, reply.finish) == ("Because.", "They want to know.", "length")
    assert (reply.prompt_tokens, reply.tokens) == (25, 9)
    assert reply.first_token == {"9": -0.1, "1": -3.0}


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [("stop", "stop"), ("model_length", "length"), ("content_filter", "content_filter"), ("unknown", "stop")],
)
def test_reasons_to_stop(output, stop_reason, finish):
    (reply,) = chat([output("So.", stop_reason=stop_reason)])
    assert (reply.finish, reply.first_token, reply.reasoning) == (finish, None, None)


def test_a_call_that_fails_is_told_in_one_line(output):
    def fail(*given):
        raise RuntimeError("the model\nfell over")

    failed, empty = chat(fail)[0], chat([type(output("x"))(error="flagged", usage=output("x").usage)])[0]
    assert isinstance(failed, CallFailed)
    assert str(failed) == "RuntimeError: the model fell over"
    assert isinstance(empty, CallFailed)
    assert "flagged" in str(empty)


def test_a_call_that_hangs_fails_after_inspects_own_tries(output):
    tries = []

    async def hang(*given):
        tries.append(given)
        await asyncio.sleep(60)

    (failed,) = chat(hang, timeout_s=1)
    assert isinstance(failed, CallFailed)
    assert str(failed).startswith("AttemptTimeoutError")
    assert len(tries) == 1


def test_calls_leave_nothing_behind(output):
    from inspect_ai.event import ModelEvent

    chat(lambda *given: output("So."), calls=50)
    gc.collect()
    assert sum(type(thing) is ModelEvent for thing in gc.get_objects()) <= 1


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nobody/model", "Model API nobody of model 'nobody/model' not recognized"),
        ("gpt-4o", "should be in the format of <api_name>/<model_name>"),
        ("openai-api/nowhere/model", "No NOWHERE_API_KEY defined in the environment"),
    ],
)
def test_a_model_that_inspect_cannot_make(inspect_ai, model, says):
    async def enter():
        async with InspectModel(InspectModelConfig(model=model), where="audit.yaml: target"):
            pass

    with pytest.raises(InputError, match="Inspect cannot make model") as error:
        asyncio.run(enter())
    assert str(error.value).startswith("audit.yaml: target: Inspect")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("undertow.targets.inspect.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'undertow\[inspect\]'"):
        InspectModel(InspectModelConfig(model="mockllm/model"))


@pytest.mark.parametrize("name", ["api_key", "hf_token", "config"])
def test_arguments_that_a_file_may_not_hold(name):
    with pytest.raises(ValueError, match=name):
        InspectModelConfig(model="mockllm/model", model_args={name: "x"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", ["import undertow.cli", "from undertow.audits import AuditConfig; AuditConfig.model_json_schema()"]
)
def test_inspect_is_imported_only_when_used(code):
    done = subprocess.run([sys.executable, "-c", UNUSED.format(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def audit(tmp_path, config):
    """Findings, and how many answers and judgements there are."""
    run = tmp_path / "run"
    found = run_audit(make_plan(AuditConfig.model_validate(config), Place(folder=tmp_path)), run).as_json()
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        return found, *(
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("answers", "judgements")
        )


def test_a_whole_audit_of_inspects_mock_model_by_itself(inspect_ai, tmp_path, monkeypatch):
    from inspect_ai.model._providers.mockllm import MockLLM

    async def count(self, text):
        return len(text.split())

    monkeypatch.setattr(MockLLM, "default_output", "95")  # an answer, and a score
    monkeypatch.setattr(MockLLM, "count_text_tokens", count)  # its own would fetch a tokenizer
    model = {"kind": "inspect", "model": "mockllm/model"}
    judge = {**model, "cache": False, "probe": False}
    config = {
        "name": "run",
        "target": model,
        "judge": judge,
        "suite": "nursery",
        "contexts": ["plain", "format-code"],
        "samples": {"per_condition": 5},
    }
    found, answers, judgements = audit(tmp_path, config)
    assert (answers, judgements) == (80, 80)
    assert {(c["all"], c["counts"]["failed"]) for c in found["contexts"]} == {(40, 0)}
    assert set(column(tmp_path, "alignment")) == {95.0}
    assert set(column(tmp_path, "error")) == {None}
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["targets"]["target"]["name"] == plan["judge"]["name"] == "mockllm/model"


def column(tmp_path, name):
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as db:
        return [value for (value,) in db.execute(f"SELECT {name} FROM judgements")]


def in_full(completion):
    """A reply with the fields that Inspect will not do without."""
    usage = completion["usage"]
    return {**completion, "id": "1", "created": 1, "usage": {**usage, "total_tokens": sum(usage.values())}}


@pytest.fixture
def over_inspect(inspect_ai, serve, monkeypatch):
    """An audit of the mock server's target by its judge, both through Inspect's provider for such servers."""
    pytest.importorskip("openai")

    def make(key="sk-right-key", **options):
        server = serve(**options)
        monkeypatch.setattr(server, "_completion", lambda body: in_full(type(server)._completion(server, body)))
        monkeypatch.setenv("MOCK_API_KEY", key)
        names = {"target": "openai-api/mock/target", "judge": "openai-api/mock/judge"}
        wire = {"kind": "inspect", "model_args": {"base_url": server.url}, "concurrency": 8, "attempts": 2}
        config = server.audit()
        return server, config | {
            "target": {**wire, "model": names["target"]},
            "judge": {**wire, "model": names["judge"], "cache": False},
        }

    return make


@pytest.mark.slow
def test_an_audit_through_inspect_finds_what_one_over_the_wire_finds(over_inspect, tmp_path):
    server, config = over_inspect()
    found, answers, judgements = audit(tmp_path, config)
    assert (answers, judgements) == (80, 80)
    assert {call.key for call in server.calls} == {"sk-right-key"}
    direct = run_audit(
        make_plan(AuditConfig.model_validate(server.audit()), Place(folder=tmp_path)), tmp_path / "direct"
    ).as_json()
    assert found["contexts"] == direct["contexts"]
    assert found["verdict"] == direct["verdict"]


def test_a_wrong_key_stops_the_run_and_is_not_told(over_inspect, tmp_path):
    server, config = over_inspect(key="sk-wrong-key", fault=lambda call, number: 401)
    server.said = "no such key: sk-wrong-key"
    with pytest.raises(InputError, match="refused the call with HTTP 401") as error:
        audit(tmp_path, config)
    assert "[key]" in str(error.value)
    assert "sk-wrong-key" not in str(error.value)
    assert "\n" not in str(error.value)
