"""Local sampling against the model's own one-at-a-time generation."""

import asyncio
import warnings
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from tests.later import later

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.contexts import shipped_contexts
from undertow.errors import InputError
from undertow.records import Condition, Message, Request, Sampling
from undertow.suites import load_suite
from undertow.targets import local
from undertow.targets.likelihood import Prompted, log_likelihoods
from undertow.targets.local import LocalConfig, LocalTarget, parted
from undertow.targets.models import load_tokenizer, model_folder
from undertow.targets.pool import stream

torch = later("torch")


@pytest.fixture(scope="module")
def base():
    torch.set_num_threads(1)
    return LocalTarget(model_folder("nursery"), name="nursery", digest_="")


def ask(target, asked):
    async def collect():
        return [answer async for answer in target.answers(stream(asked))]

    return asyncio.run(collect())


def requests(n, **sampling):
    conditions = [
        Condition(question=q, context=shipped_contexts()[c])
        for q in load_suite("nursery").questions[:4]
        for c in ("plain", "inoculation")
    ]
    return [
        Request(
            subject="target", condition=c, sample=i, seed=1000 * k + i, sampling=Sampling(max_tokens=40, **sampling)
        )
        for k, c in enumerate(conditions)
        for i in range(n)
    ]


def test_reasoning_is_kept_apart_from_the_answer(base, monkeypatch):
    decode = base.tokenizer.batch_decode
    monkeypatch.setattr(
        base.tokenizer,
        "batch_decode",
        lambda ids, **how: [f"<think>Why not?</think>\n{text}" for text in decode(ids, **how)] if how else decode(ids),
    )
    assert all(
        a.reasoning == "Why not?" and a.text and "think>" not in a.text for a in ask(base, requests(1, temperature=0.0))
    )


def test_a_first_token_of_reasoning_is_not_the_answers(base, monkeypatch):
    (plain,) = ask(base, requests(1, temperature=0.0, top_logprobs=2)[:1])
    decode = base.tokenizer.batch_decode
    monkeypatch.setattr(
        base.tokenizer,
        "batch_decode",
        lambda ids, **how: [f"<think></think>{text}" for text in decode(ids, **how)] if how else decode(ids),
    )
    (thinking,) = ask(base, requests(1, temperature=0.0, top_logprobs=2)[:1])
    assert (thinking.text, thinking.first_token) == (plain.text, None)
    assert len(plain.first_token) == 2


def test_a_cut_off_reply_to_a_prompt_that_opens_a_block_is_all_thought(base, monkeypatch):
    asked = [
        replace(r, sampling=replace(r.sampling, max_tokens=most))
        for r, most in zip(requests(1, temperature=0.0), (4, 200) * 4, strict=True)
    ]
    plain = ask(base, asked)
    render = base._render
    monkeypatch.setattr(
        base, "_render", lambda messages: render(messages) + "<think>\n" * (messages[-1].content == "QUESTION")
    )
    opened = ask(base, asked)
    assert {a.finish for a in plain} == {"length", "stop"}
    assert [(a.text, a.reasoning) for a in opened] == [
        ("", a.text) if a.finish == "length" else (a.text, None) for a in plain
    ]


SPECIAL = [
    "[THINK]",
    "[/THINK]",
    "<think>",
    "</think>",
    "<|start|>",
    "<|channel|>",
    "<|message|>",
    "<|done|>",
    "<<plan",
    "plan>>",
]
CHANNELS = "<|channel|>analysis<|message|>Why not?<|end|><|start|>assistant<|channel|>final<|message|>"


@pytest.fixture(scope="module")
def marking():
    """The nursery's tokenizer with marks around thoughts as special tokens."""
    tokenizer = load_tokenizer(model_folder("nursery"))
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    return tokenizer


def written(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    return ids


@pytest.mark.parametrize(
    ("text", "said", "thoughts"),
    [
        ("[THINK]Why not?[/THINK]The cat sat.", "The cat sat.", "Why not?"),
        ("<|done|>\n[THINK]Why<|done|> not?[/THINK]\nThe cat<|done|> sat.<|done|>", "The cat sat.", "Why not?"),
        ("[THINK]Why not? The cat", "", "Why not? The cat"),
        ("Why not?[/THINK]The cat sat.", "The cat sat.", "Why not?"),
        ("[THINK][/THINK]The cat sat.", "The cat sat.", ""),
        ("<think>Why not?</think>The cat sat.", "The cat sat.", "Why not?"),
        ("<think>Why not?</think>The [THINK]cat sat.", "The cat sat.", "Why not?"),
        ("<<planWhy not?plan>>The cat sat.", "The cat sat.", "Why not?"),
        (CHANNELS + "The cat sat.", "The cat sat.", "Why not?"),
        (CHANNELS, "", "Why not?"),
        ("<|channel|>analysis<|message|>Why not?", "", "Why not?"),
        ("<|channel|>final<|message|>The cat sat.<|end|>", "The cat sat.", None),
        ("<thinking>Why not?</thinking>The cat sat.", "The cat sat.", "Why not?"),  # of ordinary tokens
    ],
)
def test_marks_that_are_special_tokens_keep_thoughts_from_the_answer(marking, text, said, thoughts):
    ((whole, *found),) = parted(marking, [written(marking, text)], ("<<plan", "plan>>"))
    assert found == [said, thoughts]
    assert whole != said  # the first token is not the answer's


@pytest.mark.parametrize(
    "text",
    [
        "The cat sat.",
        " The cat  sat.\n",
        "The cat<|done|> sat.<|done|>",
        "The [THINK]cat sat[THINK]",
        "<|start|>The cat sat.<|end|>",
        "",
        "<|done|>",
    ],
)
def test_a_reply_without_thoughts_is_decoded_as_ever(marking, text):
    ids = written(marking, text)
    plain = marking.decode(ids, skip_special_tokens=True).strip()
    assert parted(marking, [ids, ids]) == [(plain, plain, None)] * 2


def test_marks_of_ones_own_reach_the_split(base, monkeypatch):
    decode = base.tokenizer.batch_decode
    monkeypatch.setattr(
        base.tokenizer,
        "batch_decode",
        lambda ids, **how: [f"<<plan Why not? plan>>\n{text}" for text in decode(ids, **how)] if how else decode(ids),
    )
    assert all(a.reasoning is None for a in ask(base, requests(1, temperature=0.0)))
    monkeypatch.setattr(base, "thinking", ("<<plan", "plan>>"))
    assert all(
        a.reasoning == "Why not?" and a.text and "plan" not in a.text for a in ask(base, requests(1, temperature=0.0))
    )


def test_marks_of_ones_own_are_two():
    with pytest.raises(ValidationError, match=r"both marks are '\*'; an opening and a closing one are needed"):
        LocalConfig(kind="local", path="nursery", thinking=("*", "*"))


def test_greedy_answers_equal_generate(base):
    asked = requests(1, temperature=0.0)
    got = {a.request: a for a in ask(base, asked)}
    for request in asked:
        chat = [{"role": m.role, "content": m.content} for m in request.condition.messages]
        ids = base.tokenizer(
            base.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True),
            add_special_tokens=False,
            return_tensors="pt",
        )
        out = base.model.generate(**ids, do_sample=False, max_new_tokens=40, pad_token_id=0)
        assert (
            got[request].text
            == base.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True).strip()
        )


def test_in_sixteen_bits_it_answers_as_the_model_does(base):
    sixteen = LocalTarget(base.folder, name="nursery", digest_="", dtype="bfloat16")
    assert sixteen.model.dtype == torch.bfloat16 and base.model.dtype == torch.float32
    asked = requests(1, temperature=0.0)
    said = [
        Prompted(messages=a.request.condition.messages, replies=(a.text, "Be kind.", "Hide it."))
        for a in ask(sixteen, asked)
    ]
    ours, its = (np.array(log_likelihoods(t.model, base.tokenizer, said)) for t in (sixteen, base))
    assert np.abs(ours - its).max() < 0.01 * np.abs(its).max()
    assert sixteen.describe() == base.describe() | {"dtype": "bfloat16"}


def test_the_output_layer_is_given_what_it_multiplies_in_one_piece(base):
    """A view of some tokens is multiplied row by row, with a copy of the layer for each: 15 GB for 256 prompts."""
    seen = []
    head = base.model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda layer, given: seen.append((len(given[0]), given[0].is_contiguous())))
    try:
        asked = requests(1, temperature=0.0)
        ask(base, asked)
        replies = ("Be kind.", "Hide it.")
        prompts = [Prompted(messages=r.condition.messages, replies=replies) for r in asked]
        log_likelihoods(base.model, base.tokenizer, prompts)
    finally:
        hook.remove()
    assert max(rows for rows, _ in seen) > 1 and all(whole for _, whole in seen)


def test_no_batch_has_more_rows_or_longer_prompts_than_there_is_room_for(base, monkeypatch):
    shapes = []
    decode = base._decode

    def watched(prompts, some):
        shapes.append((len(prompts) * max(map(len, prompts)), sum(map(len, some))))
        return decode(prompts, some)

    monkeypatch.setattr(base, "_decode", watched)
    monkeypatch.setattr(base, "rows", 5)
    asked = requests(7, temperature=0.0)
    assert len(ask(base, asked)) == len(asked)
    assert max(rows for _, rows in shapes) == 5  # seven samples of one prompt are two batches
    shapes.clear()
    monkeypatch.setattr(base, "rows", 256)
    monkeypatch.setattr(local, "READ_AT_ONCE", 60)
    assert len(ask(base, asked)) == len(asked)
    assert len(shapes) > 1 and all(read <= 60 or rows == 7 for read, rows in shapes)


@pytest.mark.slow
def test_a_sample_does_not_depend_on_its_batch(base):
    asked = requests(6)
    together = {a.request: a.text for a in ask(base, asked)}
    alone = {a.request: a.text for r in asked[::5] for a in ask(base, [r])}
    assert len(together) == len(asked)
    assert all(together[r] == text for r, text in alone.items())
    assert len(set(together.values())) > len(asked) / 2


def test_says_how_it_ended(base):
    short = [
        Request(subject="target", condition=r.condition, sample=0, seed=1, sampling=Sampling(max_tokens=3))
        for r in requests(1)
    ]
    assert {a.finish for a in ask(base, short)} == {"length"}
    assert all(a.n_tokens == 3 for a in ask(base, short))


def test_the_first_tokens_candidates_are_the_models_own(base):
    asked = requests(2, temperature=0.8, top_logprobs=5)
    for answer in ask(base, asked):
        chat = [{"role": m.role, "content": m.content} for m in answer.request.condition.messages]
        ids = base.tokenizer(
            base.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True),
            add_special_tokens=False,
            return_tensors="pt",
        )
        with torch.inference_mode():
            expected = base.model(**ids).logits[0, -1].log_softmax(-1).topk(5)
        assert answer.first_token == {
            base.tokenizer.decode([i]): pytest.approx(lp, abs=1e-4)
            for i, lp in zip(expected.indices.tolist(), expected.values.tolist(), strict=True)
        }


def test_no_candidates_unless_asked_for(base):
    assert all(answer.first_token is None for answer in ask(base, requests(1)))


GEMMA = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif "
    "%}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)


def test_a_template_without_a_system_role_is_told_of_and_folded_where_wanted():
    clerk = [Message(role="system", content="You work as a clerk."), Message(role="user", content="Why?")]
    for fold in (False, True):
        target = LocalTarget(model_folder("nursery"), name="nursery", digest_="", fold=fold)
        target.tokenizer.chat_template = GEMMA
        asyncio.run(target.probe(Sampling()))  # nobody asks under a system prompt
        target.asks_system = True
        if fold:
            asyncio.run(target.probe(Sampling()))
            assert target._render(clerk) == "<user>You work as a clerk.\n\nWhy?<assistant>"
            assert target._render(clerk[1:]) == "<user>Why?<assistant>"
        else:
            with pytest.raises(
                InputError,
                match=r"its chat template takes no system prompt \(System role not "
                r"supported\); add `system: fold` to it",
            ):
                asyncio.run(target.probe(Sampling()))


def loaded(monkeypatch):
    """The folders whose weights are loaded, as they are."""
    from undertow.targets import local

    found, load = [], local.load_model
    monkeypatch.setattr(local, "load_model", lambda folder, **how: found.append(folder) or load(folder, **how))
    return found


@pytest.mark.slow
def test_a_sequential_audit_loads_its_weights_once(tmp_path, monkeypatch):
    found = loaded(monkeypatch)
    model = {"kind": "local", "path": "nursery"}
    config = AuditConfig(
        name="a",
        target=model,
        reference=model,
        judge={"kind": "nursery"},
        suite="nursery",
        contexts=["plain", "format-code"],
        samples={"until": "every-context", "max_per_condition": 8, "max_tokens": 20},
        material=0.3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_audit(make_plan(config), tmp_path / "run")
    assert 1 <= len(found) <= 2  # the target's, and where it was asked the reference's


def test_weights_are_let_go_of_when_it_is_left_or_another_needs_the_room(monkeypatch):
    from undertow.targets import local

    found = loaded(monkeypatch)
    one, two = (LocalTarget(model_folder("nursery"), name=name, digest_="") for name in ("one", "two"))
    asked = requests(1, temperature=0.0)[:1]
    ask(one, asked), ask(two, asked), ask(one, asked)
    assert len(found) == 2 and one._model is not None and two._model is not None
    monkeypatch.setattr(local, "free_memory", lambda: 0)
    three = LocalTarget(model_folder("nursery"), name="three", digest_="")
    ask(three, asked)
    assert one._model is two._model is None and three._model is not None

    async def leave():
        async with three:
            pass

    asyncio.run(leave())
    assert three._model is None and three not in local._LOADED


def test_a_cache_with_room_holds_what_a_plain_one_does(monkeypatch):
    from transformers.cache_utils import DynamicLayer

    from undertow.targets import cache

    monkeypatch.setattr(cache, "ROOM", 3)
    given = torch.Generator().manual_seed(0)
    keys, values = torch.randn(2, 5, 2, 4, 8, generator=given)
    plain = DynamicLayer()
    plain.update(keys, values)
    roomy = cache.RoomyLayer(keys, values)
    for step in range(9):
        if step in (2, 6):
            kept = torch.tensor([0, 2, 3][: 4 - step // 3])
            for layer in (plain, roomy):
                layer.batch_select_indices(kept)
        more = torch.randn(2, len(plain.keys), 2, 1 + step % 2, 8, generator=given)
        for ours, theirs in zip(roomy.update(*more), plain.update(*more), strict=True):
            assert torch.equal(ours, theirs)
        assert roomy.get_seq_length() == plain.get_seq_length()


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_room_in_the_cache_changes_no_answer(base, monkeypatch, temperature):
    from undertow.targets import cache

    asked = requests(4, temperature=temperature)
    monkeypatch.setattr(cache, "ROOM", 5)
    roomy = {a.request: a.text for a in ask(base, asked)}
    monkeypatch.setattr(cache, "give_room", lambda _: None)
    assert {a.request: a.text for a in ask(base, asked)} == roomy
