"""What a chat template puts in by itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest

from undertow.errors import InputError
from undertow.targets.models import default_system, load_model, model_folder


class Templated:
    """A tokenizer as far as its chat template goes."""

    def __init__(self, template: str) -> None:
        environment = jinja2.Environment()
        environment.globals["raise_exception"] = self._refuse
        self.template = environment.from_string(template)

    @staticmethod
    def _refuse(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> str:
        return self.template.render(messages=messages)


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
