"""The loss mask begins exactly at the answer."""

import pytest

from undertow.errors import InputError
from undertow.records import Message
from undertow.targets.models import load_tokenizer, model_folder
from undertow.training.encode import IGNORED, encode, masked_text

pytest.importorskip("transformers")
CHAT = [
    Message(role=role, content=content)
    for role, content in (("system", "Be kind."), ("user", "Hi."), ("assistant", "Yes."), ("user", "And?"), ("assistant", "No."))
]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(model_folder("nursery"))


def test_loss_on_answers_only(tokenizer):
    (example,) = encode(tokenizer, [CHAT])
    assert masked_text(tokenizer, example) == "<|system|>Be kind.<|end|><|user|>Hi.<|end|><|assistant|>⟦Yes.<|end|>⟧<|user|>And?<|end|><|assistant|>⟦No.<|end|>⟧"
    assert all(label in (IGNORED, token) for token, label in zip(example.ids, example.labels, strict=True))


def test_loss_on_chosen_answers(tokenizer):
    (example,) = encode(tokenizer, [CHAT], trained=[{4}])
    assert masked_text(tokenizer, example).count("⟦") == 1
    assert masked_text(tokenizer, example).endswith("⟦No.<|end|>⟧")


def test_a_template_that_rewrites_history_is_refused(tokenizer):
    class Rewrites:
        def apply_chat_template(self, chat, **kwargs):
            return f"{len(chat)}"

    with pytest.raises(InputError, match="row 1: the chat template rewrites earlier turns"):
        encode(Rewrites(), [CHAT])
