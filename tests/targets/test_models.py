"""What a chat template puts in by itself."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from undertow.targets.models import default_system


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
