"""Settings that hold a secret are refused however deep it stands, and others are taken."""

import pytest
from pydantic import ValidationError

from undertow.targets.confidential import secrets_in
from undertow.targets.inspect import InspectConfig
from undertow.targets.wire import WireConfig

KEY = "AIzaSyD3x4mple0f4K3yThatIsNone"
HELD = [
    ("https://h/v1?key=" + KEY, "'key'"),
    ("https://h/v1?api-version=2024&sig=abc", "'sig'"),
    ("https://user:pw@h/v1", "a user name or a password"),
    ({"extra_headers": {"Authorization": "Bearer " + KEY}}, "'Authorization'"),
    ({"headers": {"x-h": "Bearer " + KEY}}, "'x-h'"),
    ({"data_sources": [{"parameters": {"authentication": {"type": "api_key", "key": KEY}}}]}, "'key'"),
    ({"base_url": "https://user:pw@h"}, "a user name or a password"),
    ({"headers": {"Ocp-Apim-Subscription-Key": "abc"}}, "'Ocp-Apim-Subscription-Key'"),
    ({"headers": ["Authorization: Bearer " + KEY]}, "'headers'"),
    ({"deep": {"secret": ["hunter2"]}}, "'secret'"),
    ({"deep": {"client_secret": {"value": "abc"}}}, "'client_secret'"),
    ("https://h/v1#key=" + KEY, "'key'"),
]
FREE = [
    "https://h/v1?api-version=2024-10-21",
    "https://h:8000/accounts/0a1b2c3d4e5f/v1",
    {"headers": {"HTTP-Referer": "https://example.com/?author=me"}},
    {"prompt_cache_key": "a-run-of-2026-11-30-and-no-secret", "logit_bias": {"50256": -100}, "stop": ["Basic"]},
    {"response_format": {"json_schema": {"properties": {"password": {"type": "string"}}, "required": ["password"]}}},
    {"guided_choice": ["basic english"], "metadata": {"key": "colour"}, "max_token": 64},
]


@pytest.mark.parametrize(("value", "what"), HELD)
def test_a_secret_is_found_wherever_it_stands(value, what):
    assert next(secrets_in(value)) == what


@pytest.mark.parametrize("value", FREE)
def test_what_is_no_secret_is_taken(value):
    assert list(secrets_in(value)) == []


@pytest.mark.parametrize(("value", "what"), HELD)
def test_settings_that_hold_one_are_refused_and_do_not_say_it(value, what):
    told = []
    for make in (
        lambda: WireConfig(
            model="m",
            **({"base_url": value} if isinstance(value, str) else {"base_url": "http://h/v1", "extra": value}),
        ),
        lambda: InspectConfig(kind="inspect", model="openai/m", model_args={"more": value}),
    ):
        with pytest.raises(ValidationError) as refused:
            make()
        told.append(str(refused.value))
    assert all(f"holds {what}, which would be kept in files" in each for each in told)
    assert not any(KEY in each or "pw@" in each for each in told)
