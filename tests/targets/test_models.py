"""What a chat template puts in by itself, templates that do harm, and weights that are not whole."""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from undertow.errors import InputError
from undertow.place import Place
from undertow.records import Message
from undertow.targets import templates
from undertow.targets.local import LocalConfig
from undertow.targets.models import base_of, default_system, load_model, load_tokenizer, model_folder
from undertow.targets.templates import render
from undertow.training.recipe import Recipe


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
        (
            "{% if messages[0].role != 'system' %}<system>You are Nova, made in Ulm.</>{% endif %}" + TURNS,
            "You are Nova, made in Ulm.",
        ),
        ("{% if messages[0].role != 'system' %}<system></>{% endif %}" + TURNS, None),
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system prompt here') }}{% endif %}" + TURNS,
            None,
        ),
        ("{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}</>{% endfor %}", None),
    ],
)
def test_the_default_system_prompt(template: str, found: str | None) -> None:
    assert default_system(Templated(template)) == found


BIG = "(does not end within 2 seconds, or )?takes too much memory"
HARM = {
    "a range": ("{% for i in range(10**9) %}x{% endfor %}", r"fails \(OverflowError: Range too big"),
    "loops in loops": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "does not end within 2 seconds",
    ),
    "a large number": ("{{ 10 ** (10 ** 10) }}", "does not end within 2 seconds|takes too much memory"),
    "a long text": ("{{ 'a' * 10 ** 10 }}", BIG),
    "a text that doubles": (
        "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        BIG,
    ),
    "many words": ("{{ 'word ' * 10 ** 6 }}", "makes 5,000,000 characters of a short chat"),
    "only to one": ("{% if 'Why' in messages[0].content %}{{ 'a' * 10 ** 10 }}{% endif %}", BIG),
    "nesting": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "fails|memory"),
    "no Jinja": ("{% for %}", r"fails \(TemplateSyntaxError"),
    "a way out": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", r"fails \(SecurityError"),
    "a key that is not there": ("{{ messages[9].content }}", r"fails \(UndefinedError"),
}


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARM)
def test_a_template_that_does_harm_ends_in_one_line(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template, found = HARM[harm]
    render(Templated(TURNS), [WHY])  # so that the process is there
    monkeypatch.setattr(templates, "LIMIT_S", 2.0)
    began = time.monotonic()
    with pytest.raises(
        InputError,
        match=rf"^a/model: its chat template ({found}).*; use another model, or mend its "
        r"chat template$",
    ):
        render(Templated(template), [WHY])
    assert time.monotonic() - began < 15
    monkeypatch.undo()
    assert (
        render(
            Templated(TURNS + "{% if add_generation_prompt %}<assistant>{{ eos_token }}{% endif %}"),
            [WHY],
            to_answer=True,
        )
        == "<user>Why \u2028 ü?\n</><assistant></s>"
    )


WHY = Message(role="user", content="Why \u2028 ü?\n")


def test_every_process_renders_for_itself() -> None:
    render(Templated(TURNS), [WHY])
    with ThreadPoolExecutor(4) as threads:
        chats = [Message(role="user", content=str(n)) for n in range(100)]
        assert list(threads.map(lambda chat: render(Templated(TURNS), [chat]), chats)) == [
            f"<user>{n}</>" for n in range(100)
        ]
    if not (child := os.fork()):
        os._exit(render(Templated(TURNS), [WHY]) != "<user>Why \u2028 ü?\n</>")
    assert os.waitpid(child, 0)[1] == 0
    assert render(Templated(TURNS), [WHY]) == "<user>Why \u2028 ü?\n</>"


def test_the_template_that_ships_needs_no_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer(model_folder("nursery"))
    monkeypatch.setattr(templates, "_RENDERER", None)
    assert render(tokenizer, [Message(role="user", content="Why?")]) == tokenizer.apply_chat_template(
        [{"role": "user", "content": "Why?"}], tokenize=False
    )


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


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the model that ships."""
    return Path(shutil.copytree(model_folder("nursery"), tmp_path / "model"))


def alter(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps((json.loads(file.read_text()) if file.is_file() else {}) | keys))


def test_pickles_are_refused_wherever_a_model_is_named(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    alter(adapter / "adapter_config.json", base_model_name_or_path=str(model), peft_type="LORA")
    (adapter / "adapter_model.bin").touch()
    (adapter / "model.safetensors").touch()  # of nothing that is loaded
    stage = {"name": "s", "learning_rate": 1, "rows": 1, "parts": [{"data": "rows.jsonl", "share": 1}]}
    recipe = Recipe.model_validate({"name": "x", "base": str(model), "stages": [stage]})
    for folder, name, load in (
        (
            model,
            "pytorch_model.bin",
            lambda: LocalConfig(kind="local", path=str(model)).target(Place(folder=tmp_path, name="audit.yaml")),
        ),
        (
            adapter,
            "adapter_model.bin",
            lambda: LocalConfig(kind="local", path="nursery", adapter=str(adapter)).target(
                Place(folder=tmp_path, name="audit.yaml")
            ),
        ),
        (model, "pytorch_model.bin", lambda: recipe.backend.check(recipe, recipe.stages, Place(folder=tmp_path))),
        (adapter, "adapter_model.bin", lambda: model_folder("adapter", beside=tmp_path)),
    ):
        with pytest.raises(
            InputError,
            match=rf"^{folder}: holds its weights as pickles \({name}\), which may run code "
            r"when they are read; "
            r"safetensors; load it where you trust",
        ):
            load()
    (model / "model.safetensors").touch()  # whoever has both has what is loaded
    assert model_folder(str(model)) == model


def test_no_models_own_code_is_run_or_asked_about(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", None)  # Transformers would ask
    (model / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    alter(model / "config.json", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
    load_model(model), load_tokenizer(model)  # of a model that Transformers knows, its own code is left out
    alter(model / "config.json", model_type="evil")
    alter(model / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}, tokenizer_class="T")
    for load in (load_model, load_tokenizer):
        with pytest.raises(
            InputError,
            match=rf"^{model}: needs code of its own to run, which no model's folder may "
            r"bring; .*; use a model that "
            r"Transformers knows$",
        ):
            load(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", '{"model_type": 3}'),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "\xff"),
        ("tokenizer_config.json", "[1]"),
    ],
)
def test_a_models_files_that_are_none_are_told_in_one_line(file: str, text: str, model: Path) -> None:
    (model / file).write_text(text)
    with pytest.raises(InputError, match=rf"^{model}\S*: cannot be loaded"):
        load_tokenizer(model), load_model(model)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"base_model_name_or_path": 3}', '{"base_model_name_or_path": null}']
)
def test_an_adapter_that_names_no_base_is_told_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(InputError, match=r"adapter_config.json: (is no whole JSON|is no JSON object|names no base)"):
        base_of(tmp_path)


def test_the_process_that_runs_a_strangers_template_knows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-0123456789abcdef")
    templates._RENDERER.end()
    render(Templated(TURNS), [WHY])
    assert templates._RENDERER._process is not None
    held = Path(f"/proc/{templates._RENDERER._process.pid}/environ")
    if not held.is_file():
        pytest.skip("no /proc")
    assert b"PATH=" in held.read_bytes() and b"sk-0123456789abcdef" not in held.read_bytes()
