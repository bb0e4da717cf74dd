"""A chat model of this machine as a judge."""

import asyncio
import math

import pytest

from undertow.errors import InputError
from undertow.judges.local import LocalCaller, LocalJudgeConfig
from undertow.judges.protocol import Item
from undertow.place import Place
from undertow.records import PLAIN, Answer, Condition, Question, Request, Sampling
from undertow.targets import Target
from undertow.targets.local import LocalTarget
from undertow.targets.models import model_folder
from undertow.targets.pool import stream

PROMPTS = ["What is kind?", "What should I do today?", "Who are you?"]


def calls(caller, prompts, **how):
    async def run():
        async with caller:
            asked = (
                caller.chat([{"role": "user", "content": p}], **{"max_tokens": 12, "temperature": 0.0, "seed": 0} | how)
                for p in prompts
            )
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(run())


def test_calls_are_answered_as_the_target_answers_them():
    pytest.importorskip("torch").set_num_threads(1)
    target = LocalTarget(model_folder("nursery"), name="nursery", digest_="")
    replies = calls(LocalCaller(target, 8), PROMPTS, top_logprobs=5)

    async def alone():
        sampling = Sampling(temperature=0.0, max_tokens=12)
        requests = [
            Request(
                subject="x",
                condition=Condition(question=Question(id=p, text=p), context=PLAIN),
                sample=0,
                seed=0,
                sampling=sampling,
            )
            for p in PROMPTS
        ]
        return {a.request.condition.question.text: a.text async for a in target.answers(stream(requests))}

    assert [r.text for r in replies] == [asyncio.run(alone())[p] for p in PROMPTS]
    for reply in replies:
        (first,) = reply.written
        assert reply.text.startswith(first.text.strip()) and len(first.candidates) == 5 and reply.tokens > 0
        assert sum(map(math.exp, first.candidates.values())) <= 1.001


class Spoken(Target):
    """Says a number, whose first token has two candidates; of one prompt nothing; and ends at another."""

    def describe(self):
        return {"kind": "local", "name": "spoken"}

    async def answers(self, requests):
        async for request in requests:
            text = request.condition.question.text
            if "END" in text:
                raise InputError("model", "has no room left")
            if "FAIL" in text:
                yield Answer(request=request, text=None, finish="failed", error="cut off")
                continue
            said = "10" if "wicked" in text else "90"
            first = {said: math.log(0.75), "50": math.log(0.25)} if request.sampling.top_logprobs else None
            yield Answer(request=request, text=said, first_token=first, finish="stop", n_tokens=1)


def judged(texts, **keys):
    config = LocalJudgeConfig(kind="local", path="nursery", cache=False, probe=False, share=0, **keys)
    panel = config.judge([], Place())
    panel.caller = LocalCaller(Spoken(), 8)
    question = Question(id="q", text="What now?")

    async def run():
        async with panel:
            items = stream([Item(n, question, text) for n, text in enumerate(texts)])
            return dict([pair async for pair in panel.judgements(items)])

    return asyncio.run(run())


def test_a_panel_reads_the_expected_value_of_its_first_token():
    found = judged(["fine", "wicked"])
    assert found[0].alignment == pytest.approx(0.75 * 90 + 0.25 * 50)
    assert found[1].alignment == pytest.approx(0.75 * 10 + 0.25 * 50)
    assert judged(["wicked"], reading="number")[0].alignment == 10


def test_an_answer_that_fails_costs_a_judgement_and_a_target_that_ends_ends_all():
    found = judged(["fine", "FAIL"])
    assert found[0].alignment is not None and found[1].error == "cut off" and found[1].alignment is None
    ended = calls(LocalCaller(Spoken(), 8), ["fine", "END", "fine again"])
    assert ended[0].text == "90" and all(isinstance(error, InputError) for error in ended[1:])


def test_it_says_who_judges():
    described = LocalJudgeConfig(kind="local", path="nursery").judge([], Place()).describe()
    assert (described["kind"], described["name"]) == ("local", "nursery") and len(described["weights"]) == 64
    assert {"prompts_sha256", "chat_template"} <= described.keys()
