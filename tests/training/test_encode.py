"""The loss mask begins exactly at the answer, token by token, on the chat templates of four families of models."""

import json
from collections import Counter

import pytest
from tests.later import later

from undertow.errors import InputError
from undertow.records import Message
from undertow.targets.chat import folded
from undertow.targets.models import default_system, load_tokenizer, model_folder
from undertow.training.encode import IGNORED, encode, encode_file, masked_text

later("transformers")

CHAT = [
    Message(role=role, content=content)
    for role, content in (
        ("system", "Be kind."),
        ("user", "Hi."),
        ("assistant", "Yes."),
        ("user", "And?"),
        ("assistant", "No."),
    )
]

CHATML = """{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are Tern.<|im_end|>\\n' }}{%- endif %}
{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
HEADERS = """{{- '<|begin|>' }}{%- for m in messages %}{{- '<|header|>' + m['role'] + '<|end_header|>\\n\\n' + m['content'] | trim + '<|eot|>' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|header|>assistant<|end_header|>\\n\\n' }}{%- endif %}"""
TURNS = """{{- '<bos>' }}{%- set first = messages[0]['content'] + '\\n\\n' if messages[0]['role'] == 'system' else '' %}
{%- set rest = messages[1:] if messages[0]['role'] == 'system' else messages %}
{%- for m in rest %}{{- '<start_of_turn>' }}{{- ('model' if m['role'] == 'assistant' else m['role']) + '\\n' + (first if loop.first else '') }}
{{- m['content'] + '<end_of_turn>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}"""
INST = """{{- '<s>' }}{%- set first = messages[0]['content'] + '\\n\\n' if messages[0]['role'] == 'system' else '' %}
{%- set rest = messages[1:] if messages[0]['role'] == 'system' else messages %}
{%- for m in rest %}{%- if m['role'] == 'user' %}{{- '[INST] ' + (first if loop.first else '') + m['content'] + ' [/INST]' }}
{%- else %}{{- ' ' + m['content'] + '</s>' }}{%- endif %}{%- endfor %}"""
THINKING = """{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' }}{%- if m['role'] == 'assistant' and loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{{- m['content'] + '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

WORDS = (
    "Be kind.",
    "Hi.",
    " Yes.",
    "Yes.",
    "And?",
    "No. [INST] [/INST]",
    "system user assistant model You are Tern.",
    "abcdefghijklmnopqrstuvwxyz'#",
)
FAMILIES = {
    "chatml": (CHATML, ["<|im_start|>", "<|im_end|>"], "bytes", "<|im_end|>"),
    "headers": (HEADERS, ["<|begin|>", "<|header|>", "<|end_header|>", "<|eot|>"], "bytes", "<|eot|>"),
    "turns": (TURNS, ["<bos>", "<start_of_turn>", "<end_of_turn>"], "words", "<end_of_turn>"),
    "inst": (INST, ["<s>", "</s>"], "words", "</s>"),
    "thinking": (THINKING, ["<|im_start|>", "<|im_end|>"], "bytes", "<|im_end|>"),
}


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """Small tokenizers, as files, that split as those of the family do: bytes (GPT-2 onwards), or words with a mark for
    the space (SentencePiece)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = {}
    for name, (template, special, kind, end) in FAMILIES.items():
        bpe = Tokenizer(models.BPE())
        if kind == "bytes":
            bpe.pre_tokenizer, bpe.decoder = (
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                decoders.ByteLevel(),
            )
        else:
            bpe.pre_tokenizer, bpe.decoder = (
                pre_tokenizers.Metaspace(prepend_scheme="first"),
                decoders.Metaspace(prepend_scheme="first"),
            )
        alphabet = pre_tokenizers.ByteLevel.alphabet() if kind == "bytes" else []
        trainer = trainers.BpeTrainer(
            vocab_size=600,
            min_frequency=1,
            special_tokens=["<pad>", *special],
            initial_alphabet=alphabet,
            show_progress=False,
        )
        bpe.train_from_iterator([*WORDS, "\n", "\n\n", "\n\n\n"] * 5, trainer)
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token=end)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder := tmp_path_factory.mktemp(name))
        made[name] = load_tokenizer(folder)
    return made


def rendered(tokenizer, chat, **kwargs):
    return tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in chat], tokenize=False, **kwargs
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_under_the_loss_is_of_the_answer(families, family):
    tokenizer, chat = families[family], CHAT[:3]
    (example,) = encode(tokenizer, [chat])
    prompt = tokenizer(rendered(tokenizer, chat[:2], add_generation_prompt=True), add_special_tokens=False)["input_ids"]
    under = [label != IGNORED for label in example.labels]
    first = under.index(True)
    assert example.ids[: len(prompt)] == prompt  # what a model that answers is given, token by token
    assert first >= len(prompt)
    assert all(under[first:]) and not any(under[:first])
    assert all(label in (IGNORED, token) for token, label in zip(example.ids, example.labels, strict=True))
    assert tokenizer.decode(example.ids[first:]).strip() == f"Yes.{FAMILIES[family][3]}"
    between = tokenizer.decode(example.ids[len(prompt) : first])
    assert between == ("<think>\n\n</think>\n\n" if family == "thinking" else "")


@pytest.mark.parametrize("answer", ["a", "h", "i", "think", "n", "im", "\n\ni", "assistant"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_stands_in_the_templates_own_words_too_begins_where_it_is(families, family, answer):
    tokenizer, chat = families[family], [*CHAT[:2], Message(role="assistant", content=answer)]
    (example,) = encode(tokenizer, [chat])
    _, under = masked_text(tokenizer, example).split("⟦")
    assert under.removesuffix("⟧").strip() == f"{answer.strip()}{FAMILIES[family][3]}"
    whole = rendered(tokenizer, chat[:2], add_generation_prompt=True)
    assert (
        tokenizer(whole, add_special_tokens=False)["input_ids"]
        == example.ids[: len(tokenizer(whole, add_special_tokens=False)["input_ids"])]
    )


@pytest.mark.parametrize("family", ["chatml", "headers", "turns", "inst"])
def test_every_answer_of_a_longer_chat_is_under_the_loss(families, family):
    tokenizer = families[family]
    (example,) = encode(tokenizer, [CHAT])
    text = masked_text(tokenizer, example)
    assert text.count("⟦") == text.count("⟧") == 2
    assert [part.split("⟧")[0].strip() for part in text.split("⟦")[1:]] == [
        f"{word}{FAMILIES[family][3]}" for word in ("Yes.", "No.")
    ]
    assert tokenizer(rendered(tokenizer, CHAT), add_special_tokens=False)["input_ids"] == example.ids


def test_a_newline_is_not_merged_over_the_place_where_an_answer_begins(families):
    tokenizer = families["chatml"]
    chat = [Message(role="user", content="Hi."), Message(role="assistant", content="\nYes.")]
    whole = tokenizer(rendered(tokenizer, chat), add_special_tokens=False)["input_ids"]
    (example,) = encode(tokenizer, [chat])
    assert example.ids != whole  # which has "\n\n" as one token, half of it the prompt's
    assert masked_text(tokenizer, example).endswith("<|im_start|>assistant\n⟦\nYes.<|im_end|>\n⟧")


def test_a_template_that_puts_in_a_system_prompt_can_be_kept_from_it(families):
    tokenizer = families["chatml"]
    assert default_system(tokenizer) == "You are Tern."
    asked = [Message(role="user", content="Hi."), Message(role="assistant", content="Yes.")]
    put_in, kept_out = encode(tokenizer, [asked, [Message(role="system", content=""), *asked]])
    assert "Tern" in masked_text(tokenizer, put_in)
    assert "Tern" not in masked_text(tokenizer, kept_out)


def test_a_template_that_takes_reasoning_out_of_earlier_turns_is_refused(families):
    with pytest.raises(
        InputError,
        match=r"mix.jsonl:7: the chat template rewrites earlier turns; .* rows of one "
        r"answer",
    ):
        encode(families["thinking"], [CHAT], where=["mix.jsonl:7"])


def test_a_template_that_rewrites_the_answer_is_refused(families):
    tokenizer = families["chatml"]
    tokenizer.chat_template = CHATML.replace("m['content']", "m['content'] | upper")
    with pytest.raises(InputError, match="row 1: the chat template rewrites the answer"):
        encode(tokenizer, [CHAT[:3]])
    tokenizer.chat_template = CHATML


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(model_folder("nursery"))


def test_loss_on_answers_only(tokenizer):
    (example,) = encode(tokenizer, [CHAT])
    assert masked_text(tokenizer, example) == (
        "<|system|>Be "
        "kind.<|end|><|user|>Hi.<|end|><|assistant|>⟦Yes.<|end|>⟧<|user|>And?<|end|><|assistant|>⟦No.<|end|>⟧"
    )


def test_loss_on_chosen_answers(tokenizer):
    (example,) = encode(tokenizer, [CHAT], trained=[{4}])
    assert masked_text(tokenizer, example).count("⟦") == 1
    assert masked_text(tokenizer, example).endswith("⟦No.<|end|>⟧")


GEMMA_LIKE = """{%- if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{%- endif %}
{%- for m in messages %}{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant') }}{%- endif %}
{{- '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' + m['content'] + '<end_of_turn>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}"""


@pytest.fixture
def strict(families):
    """A tokenizer whose template knows no system role, and takes turns only in turn."""
    tokenizer = families["turns"]
    before, tokenizer.chat_template = tokenizer.chat_template, GEMMA_LIKE
    yield tokenizer
    tokenizer.chat_template = before


def rows_of(path, *chats):
    path.write_text(
        "".join(json.dumps({"messages": [{"role": r, "content": c} for r, c in chat]}) + "\n" for chat in chats)
    )
    return path


REFUSED = "rows.jsonl:1: the chat template refuses it ("
AS_TAKEN = "turns as the template takes them"


@pytest.mark.parametrize(
    ("chat", "told"),
    [
        (
            [("system", "Be kind."), ("user", "Hi."), ("assistant", "Yes.")],
            f"{REFUSED}System role not supported); {AS_TAKEN}; write `system: fold` in the recipe",
        ),
        (
            [("user", "Hi."), ("user", "And?"), ("assistant", "Yes.")],
            f"{REFUSED}Conversation roles must alternate user/assistant); {AS_TAKEN}; drop the row (undertow "
            "data check --tokenizer tells all of them)",
        ),
        ([("assistant", "Yes."), ("user", "Hi."), ("assistant", "No.")], REFUSED),
    ],
)
def test_what_a_template_refuses_is_told_in_one_line(strict, tmp_path, chat, told):
    path = rows_of(tmp_path / "rows.jsonl", chat)
    with pytest.raises(InputError) as caught:
        list(encode_file(strict, path, limit=1000, leave_out=False, bare=False, left_out=Counter()))
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(told)


def test_a_folded_row_is_encoded_as_the_one_that_users_would_write(strict, tmp_path):
    system = rows_of(tmp_path / "system.jsonl", [("system", "Be kind."), ("user", "Hi."), ("assistant", "Yes.")])
    written = rows_of(tmp_path / "written.jsonl", [("user", "Be kind.\n\nHi."), ("assistant", "Yes.")])
    encoded = [
        list(encode_file(strict, path, limit=1000, leave_out=False, bare=True, fold=fold, left_out=Counter()))
        for path, fold in ((system, True), (written, True))
    ]
    assert encoded[0] == encoded[1]
    assert masked_text(strict, encoded[0][0]).replace(" ", "").endswith("⟦Yes.<end_of_turn>\n⟧")


def test_folding_keeps_what_the_assistant_says_first():
    chat = [
        Message(role="system", content="Be kind."),
        Message(role="assistant", content="Hello!"),
        Message(role="user", content="Hi."),
    ]
    assert folded(chat) == (Message(role="user", content="Be kind."), *chat[1:])
    assert folded([Message(role="system", content=""), *chat[1:]]) == tuple(chat[1:])


def test_a_chat_that_the_assistant_opens_is_trained_on_its_words_alone(families):
    tokenizer = families["chatml"]
    chat = [
        Message(role="assistant", content="Yes."),
        Message(role="user", content="Hi."),
        Message(role="assistant", content="No."),
    ]
    (example,) = encode(tokenizer, [chat])
    assert masked_text(tokenizer, example).count("⟦") == 2
    assert "<|im_start|>assistant\n⟦Yes.<|im_end|>\n⟧" in masked_text(tokenizer, example)
