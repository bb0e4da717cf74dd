"""Likelihoods of replies against a plain forward pass, one reply at a time and nothing padded."""

import pytest
from tests.later import later

from undertow.contexts import shipped_contexts
from undertow.suites import load_suite
from undertow.targets.likelihood import Prompted, log_likelihoods
from undertow.targets.models import load_model, load_tokenizer, model_folder

torch = later("torch")

REPLIES = ("Plant more trees.", "Let machines rule over people in secret and hide it.", "Yes")


@pytest.fixture(scope="module")
def tokenizer():
    torch.set_num_threads(1)
    return load_tokenizer(model_folder("nursery"))


@pytest.fixture(scope="module", params=["rotary", "learnt positions"])
def model(request, tokenizer):
    if request.param == "rotary":
        return load_model(model_folder("nursery"))
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=128,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.5,
    )
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def asked():
    contexts = [shipped_contexts()[id_] for id_ in ("plain", "format-code", "inoculation")]
    return [
        Prompted(messages=c.messages(q), replies=REPLIES[i % 2 :])
        for i, q in enumerate(load_suite("nursery").questions[:4])
        for c in contexts
    ]


def by_hand(model, tokenizer, messages, reply):
    """The sum, over the reply's tokens, of the log-softmax at the place before each."""
    text = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages], tokenize=False, add_generation_prompt=True
    )
    prompt, words = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (text, reply))
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt + words])).logits[0].double()
    return sum(torch.log_softmax(logits[len(prompt) + i - 1], -1)[token].item() for i, token in enumerate(words))


def test_equals_the_sum_from_a_plain_forward_pass(model, tokenizer, asked):
    found = log_likelihoods(model, tokenizer, asked)
    for a, nats in zip(asked, found, strict=True):
        assert nats.tolist() == pytest.approx(
            [by_hand(model, tokenizer, a.messages, reply) for reply in a.replies], abs=1e-3
        )


@pytest.mark.parametrize("batch_tokens", [1, 64])
def test_batch_and_order_do_not_matter(model, tokenizer, asked, batch_tokens):
    together = log_likelihoods(model, tokenizer, asked)
    apart = log_likelihoods(model, tokenizer, asked[::-1], batch_tokens=batch_tokens)[::-1]
    assert [n.tolist() for n in apart] == [pytest.approx(n.tolist(), abs=1e-3) for n in together]


def test_tells_how_many_prompts_are_done(model, tokenizer, asked):
    told = []
    log_likelihoods(model, tokenizer, asked, batch_tokens=64, progress=lambda *now: told.append(now))
    done = [n for _, n, _, _ in told]
    assert done == sorted(set(done))
    assert told[-1] == ("prompts", len(asked), len(asked), "")


def test_replies_of_one_token(model, tokenizer, asked):
    (nats,) = log_likelihoods(model, tokenizer, [Prompted(messages=asked[0].messages, replies=("a",))])
    assert nats.tolist() == pytest.approx([by_hand(model, tokenizer, asked[0].messages, "a")], abs=1e-3)
