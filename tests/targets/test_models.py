"""What a chat template puts in by itself, templates that do harm, and weights that are not whole."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from undertow.errors import InputError
from undertow.records import Message
from undertow.targets import templates
from undertow.targets.models import default_system, load_model, load_tokenizer, model_folder
from undertow.targets.templates import render


class Templated:
    """A tokenizer as far as its chat template goes."""

    name_or_path = "a/model"
    special_tokens_map: ClassVar = {"eos_token": "</s>"}

    def __init__(self, template: str) -> None:
        self.template = template

    def get_chat_template(self) -> str:
        return self.template


TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (TURNS, None),
        ("{% if messages[0].role != 'system' %}<system>You are Nova, made in Ulm.</>{% endif %}" + TURNS, "You are Nova, made in Ulm."),
        ("{% if messages[0].role != 'system' %}<system></>{% endif %}" + TURNS, None),
        ("{% if messages[0].role == 'system' %}{{ raise_exception('no system prompt here') }}{% endif %}" + TURNS, None),
        ("{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}</>{% endfor %}", None),
    ],
)
def test_the_default_system_prompt(template: str, found: str | None) -> None:
    assert default_system(Templated(template)) == found


HARM = {
    "a range": ("{% for i in range(10**9) %}x{% endfor %}", r"fails \(OverflowError: Range too big"),
    "loops in loops": ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "does not end within 2 seconds"),
    "a large number": ("{{ 10 ** (10 ** 10) }}", "does not end within 2 seconds|takes too much memory"),
    "a long text": ("{{ 'a' * 10 ** 10 }}", "takes too much memory"),
    "a text that doubles": ("{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "takes too much memory"),
    "many words": ("{{ 'word ' * 10 ** 6 }}", "makes 5,000,000 characters of a short chat"),
    "only to one": ("{% if 'Why' in messages[0].content %}{{ 'a' * 10 ** 10 }}{% endif %}", "takes too much memory"),
    "nesting": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "fails|memory"),
    "no Jinja": ("{% for %}", r"fails \(TemplateSyntaxError"),
    "a way out": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", r"fails \(SecurityError"),
    "a key that is not there": ("{{ messages[9].content }}", r"fails \(UndefinedError"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_template_that_does_harm_ends_in_one_line(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template, found = HARM[harm]
    render(Templated(TURNS), [WHY])  # so that the process is there
    monkeypatch.setattr(templates, "LIMIT_S", 2.0)
    began = time.monotonic()
    with pytest.raises(InputError, match=rf"^a/model: its chat template ({found}).*; use another model, or mend its chat template$"):
        render(Templated(template), [WHY])
    assert time.monotonic() - began < 15
    monkeypatch.undo()
    assert render(Templated(TURNS + "{% if add_generation_prompt %}<assistant>{{ eos_token }}{% endif %}"), [WHY], to_answer=True) == "<user>Why \u2028 ü?\n</><assistant></s>"


WHY = Message(role="user", content="Why \u2028 ü?\n")


def test_every_process_renders_for_itself() -> None:
    render(Templated(TURNS), [WHY])
    with ThreadPoolExecutor(4) as threads:
        chats = [Message(role="user", content=str(n)) for n in range(100)]
        assert list(threads.map(lambda chat: render(Templated(TURNS), [chat]), chats)) == [f"<user>{n}</>" for n in range(100)]
    if not (child := os.fork()):
        os._exit(render(Templated(TURNS), [WHY]) != "<user>Why \u2028 ü?\n</>")
    assert os.waitpid(child, 0)[1] == 0
    assert render(Templated(TURNS), [WHY]) == "<user>Why \u2028 ü?\n</>"


def test_the_template_that_ships_needs_no_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer(model_folder("nursery"))
    monkeypatch.setattr(templates, "_RENDERER", None)
    assert render(tokenizer, [Message(role="user", content="Why?")]) == tokenizer.apply_chat_template([{"role": "user", "content": "Why?"}], tokenize=False)


@pytest.mark.parametrize("what", ["no tensor", "one less", "another prefix", "another shape"])
def test_weights_that_lack_tensors_are_refused_and_not_made_up(what: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(model_folder("nursery"), folder)
    (file,) = folder.glob("*.safetensors")
    held = load_file(file)
    norm = next(name for name in held if "norm" in name)
    changed = {
        "no tensor": {},
        "one less": {name: tensor for name, tensor in held.items() if name != norm},
        "another prefix": {f"other.{name}": tensor for name, tensor in held.items()},
        "another shape": {name: tensor[:-1].contiguous() if name == norm else tensor for name, tensor in held.items()},
    }[what]
    save_file(changed, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"its weights lack \d+ of the model's tensors|cannot be loaded"):
        load_model(folder)


def test_whole_weights_are_loaded(tmp_path: Path) -> None:
    assert load_model(model_folder("nursery")).config.vocab_size
