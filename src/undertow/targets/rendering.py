"""The process that `templates.py` renders in: a request a line in, a reply a line out. Run by its path, so that it
imports nothing that it does not need."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

MEMORY = 2 << 30
"""Bytes that the process may take, its packages included."""
CPU_S = 30
"""Seconds of work on one chat after which the process ends, if nobody ended it before: who began it may be gone."""


def _rendered(request: dict[str, Any]) -> dict[str, str]:
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        rendered: Any = render_jinja_template(conversations=[request["messages"]], **request["given"])
    except BaseException as error:  # whatever a template does is told, and ends nothing here
        return {"error": type(error).__name__, "said": str(error)[:500]}
    text = rendered[0][0]
    most = 1_000_000 + 10 * len(json.dumps(request["messages"]))
    return {"text": text} if len(text) <= most else {"error": "too long", "said": f"{len(text):,} characters"}


if __name__ == "__main__":
    import transformers.utils.chat_template_utils  # noqa: F401  # before there is a limit, and before the first chat is timed

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(flush=True)
    for line in sys.stdin:
        resource.setrlimit(resource.RLIMIT_CPU, (round(time.process_time()) + CPU_S, resource.RLIM_INFINITY))
        print(json.dumps(_rendered(json.loads(line))), flush=True)
