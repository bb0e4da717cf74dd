"""A server that speaks OpenAI's fine-tuning API on a real socket, for the SDK that the backend uses.

It keeps to the published API: requests are refused for unknown fields, files and models, files are read and validated,
jobs go from validating_files over queued and running to their end, one state a look, with events, checkpoints and
pages. What it trains is a table from questions to answers, so that a finished model's answers show which rows it had,
and of which model it was made.
"""

import asyncio
import itertools
import json
import math
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from aiohttp import web

KEY = "sk-test-very-secret"
BASES = ("gpt-test-mini", "gpt-test")
FIELDS = {
    "model",
    "training_file",
    "validation_file",
    "suffix",
    "seed",
    "metadata",
    "method",
    "hyperparameters",
    "integrations",
}
HYPERPARAMETERS = {"batch_size": int, "learning_rate_multiplier": (int, float), "n_epochs": int}


@dataclass
class File:
    id: str
    name: str
    content: bytes
    purpose: str
    status: str = "processed"
    status_details: str | None = None


@dataclass
class Job:
    id: str
    body: dict
    rows: list
    created_at: int
    status: str = "validating_files"
    step: int = 0
    error: dict | None = None
    fine_tuned_model: str | None = None
    finished_at: int | None = None
    events: list = field(default_factory=list)
    """Newest last."""
    checkpoints: list = field(default_factory=list)

    @property
    def how(self):
        return self.body["method"]["supervised"]["hyperparameters"]

    @property
    def steps(self):
        return -(-len(self.rows) // self.how["batch_size"]) * self.how["n_epochs"]


class Refused(Exception):
    """An error as the API words it."""

    def __init__(self, status, message, *, param=None, code=None):
        self.response = web.json_response(
            {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}},
            status=status,
        )


class FineTuning:
    """The API, on 127.0.0.1, in a thread of its own. A context manager."""

    def __init__(self, *, fault=None, steps_a_look=8, moderated="", file_error="", prefix="/v1", key=KEY):
        """
        Args:
            fault: (method, path below the prefix, number of such requests before) -> an HTTP status,
                `(status, headers)`, "drop" (the connection is reset before anything is done), "lose" (all is done, and
                then the connection is reset), a function (all is done, it is called, and the connection is reset), or
                None where nothing goes wrong.
            steps_a_look: steps that a running job does between two looks at it.
            moderated: text that no answer may hold; a job on a file that has it fails.
            file_error: text that no uploaded file may hold.
        """
        self.fault, self.steps_a_look, self.moderated, self.file_error, self.prefix = (
            fault,
            steps_a_look,
            moderated,
            file_error,
            prefix,
        )
        self.key = key
        self.files, self.jobs, self.models, self.requests, self.told = (
            {},
            {},
            {base: {} for base in BASES},
            [],
            "Something went wrong.",
        )
        self._seen, self._ids = Counter(), itertools.count(1)

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *error):
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def count(self, method, path):
        """Requests that came."""
        return sum(1 for each in self.requests if each == (method, path))

    async def _start(self):
        app = web.Application(middlewares=[self._middle], client_max_size=2**30)
        routes = {
            ("GET", "/models"): self._list_models,
            ("POST", "/chat/completions"): self._chat,
            ("POST", "/files"): self._upload,
            ("GET", "/files/{id}"): self._file,
            ("POST", "/fine_tuning/jobs"): self._create,
            ("GET", "/fine_tuning/jobs"): self._list_jobs,
            ("GET", "/fine_tuning/jobs/{id}"): self._look,
            ("POST", "/fine_tuning/jobs/{id}/cancel"): self._cancel,
            ("GET", "/fine_tuning/jobs/{id}/events"): self._events,
            ("GET", "/fine_tuning/jobs/{id}/checkpoints"): self._checkpoints,
        }
        for (method, path), handler in routes.items():
            app.router.add_route(method, self.prefix + path, handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{self.prefix}"

    @web.middleware
    async def _middle(self, request, handler):
        path = request.path.removeprefix(self.prefix)
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return Refused(401, f"Incorrect API key provided: {sent}.", code="invalid_api_key").response
        kind = (
            request.method,
            "/fine_tuning/jobs/{id}" if path.startswith("/fine_tuning/jobs/") and path.count("/") == 3 else path,
        )
        self.requests.append(kind)
        fault = self.fault(*kind, self._seen[kind]) if self.fault else None
        self._seen[kind] += 1
        if fault == "drop":
            return self._reset(request)
        if fault is not None and fault != "lose" and not callable(fault):
            status, headers = fault if isinstance(fault, tuple) else (fault, {})
            return web.json_response(
                {"error": {"message": self.told, "type": "server_error"}}, status=status, headers=headers
            )
        try:
            reply = await handler(request)
        except Refused as refused:
            return refused.response
        if callable(fault):
            fault()
        return reply if fault is None else self._reset(request)

    def _reset(self, request):
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
        return web.Response()

    async def _list_models(self, request):
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    async def _chat(self, request):
        body = await request.json()
        if body["model"] not in self.models:
            raise Refused(404, f"The model `{body['model']}` does not exist.", code="model_not_found")
        asked = body["messages"][-1]["content"]
        text = self.models[body["model"]].get(asked, f"{body['model']} says: {asked}")
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return web.json_response(
            {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 5}}
        )

    async def _upload(self, request):
        if request.content_type != "multipart/form-data":
            raise Refused(400, "A multipart form is expected.")
        form = await request.post()
        if form.get("purpose") != "fine-tune":
            raise Refused(400, f"'{form.get('purpose')}' is not one of the purposes.", param="purpose")
        upload = form["file"]
        if not upload.filename.endswith(".jsonl"):
            raise Refused(400, "Invalid extension; a .jsonl file is expected.", param="file")
        file = File(id=f"file-{next(self._ids)}", name=upload.filename, content=upload.file.read(), purpose="fine-tune")
        if self.file_error and self.file_error in file.content.decode():
            file.status, file.status_details = "error", "The file could not be read."
        self.files[file.id] = file
        return web.json_response(self._file_object(file))

    def _file_object(self, file):
        return {
            "id": file.id,
            "object": "file",
            "bytes": len(file.content),
            "created_at": 1,
            "filename": file.name,
            "purpose": file.purpose,
            "status": file.status,
            "status_details": file.status_details,
        }

    async def _file(self, request):
        if request.match_info["id"] not in self.files:
            raise Refused(404, f"No such File object: {request.match_info['id']}", param="id")
        return web.json_response(self._file_object(self.files[request.match_info["id"]]))

    async def _create(self, request):
        body = await request.json()
        if unknown := set(body) - FIELDS:
            raise Refused(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
        if body.get("model") not in self.models:
            raise Refused(
                400,
                f"Model {body.get('model')} is not available for fine-tuning or does not exist.",
                param="model",
                code="model_not_available",
            )
        if body.get("training_file") not in self.files:
            raise Refused(404, f"The file {body.get('training_file')} does not exist.", param="training_file")
        if len(body.get("suffix") or "") > 64:
            raise Refused(400, "suffix is too long.", param="suffix")
        if not 0 <= body.get("seed", 0) < 2**31:
            raise Refused(400, "seed is out of range.", param="seed")
        metadata = body.get("metadata") or {}
        if len(metadata) > 16 or any(
            len(k) > 64 or not isinstance(v, str) or len(v) > 512 for k, v in metadata.items()
        ):
            raise Refused(400, "metadata does not fit.", param="metadata")
        method = body.get("method", {})
        if (
            set(method) != {"type", "supervised"}
            or method["type"] != "supervised"
            or set(method["supervised"]) != {"hyperparameters"}
        ):
            raise Refused(400, "method does not fit.", param="method")
        for name, value in method["supervised"]["hyperparameters"].items():
            if (
                name not in HYPERPARAMETERS
                or isinstance(value, bool)
                or not isinstance(value, HYPERPARAMETERS[name])
                or value <= 0
            ):
                raise Refused(400, f"{name} does not fit.", param=f"method.supervised.hyperparameters.{name}")
        job = Job(id=f"ftjob-{next(self._ids)}", body=body, rows=[], created_at=int(time.time()))
        self.jobs[job.id] = job
        self._say(job, "Created fine-tuning job")
        return web.json_response(self._job_object(job))

    def _say(self, job, message, *, level="info", data=None):
        event = {
            "object": "fine_tuning.job.event",
            "id": f"ftevent-{next(self._ids)}",
            "created_at": int(time.time()),
            "level": level,
            "message": message,
        }
        job.events.append({**event, "type": "metrics" if data else "message", "data": data or {}})

    def _job_object(self, job):
        done = job.status == "succeeded"
        return {
            "object": "fine_tuning.job",
            "id": job.id,
            "created_at": job.created_at,
            "error": job.error or {},
            "fine_tuned_model": job.fine_tuned_model,
            "finished_at": job.finished_at,
            "hyperparameters": job.how,
            "model": job.body["model"],
            "organization_id": "org-test",
            "result_files": [],
            "seed": job.body.get("seed", 7),
            "status": job.status,
            "trained_tokens": self._tokens(job) if done else None,
            "training_file": job.body["training_file"],
            "validation_file": None,
            "metadata": job.body.get("metadata"),
            "method": job.body["method"],
        }

    def _tokens(self, job):
        return job.how["n_epochs"] * sum(len(m["content"].split()) for row in job.rows for m in row["messages"])

    async def _list_jobs(self, request):
        wanted = {
            key[len("metadata[") : -1]: value for key, value in request.query.items() if key.startswith("metadata[")
        }
        found = [
            job for job in reversed(self.jobs.values()) if wanted.items() <= (job.body.get("metadata") or {}).items()
        ]
        return self._page(request, [self._job_object(job) for job in found])

    def _page(self, request, items):
        first = next((n for n, item in enumerate(items, start=1) if item["id"] == request.query.get("after")), 0)
        end = first + min(int(request.query.get("limit", 20)), 100)
        return web.json_response({"object": "list", "data": items[first:end], "has_more": end < len(items)})

    def _job(self, request):
        if request.match_info["id"] not in self.jobs:
            raise Refused(404, f"Could not find fine tune: {request.match_info['id']}", code="fine_tune_not_found")
        return self.jobs[request.match_info["id"]]

    async def _look(self, request):
        job = self._job(request)
        getattr(self, f"_{job.status}", lambda job: None)(job)
        return web.json_response(self._job_object(job))

    def _validating_files(self, job):
        try:
            job.rows = [
                json.loads(line) for line in self.files[job.body["training_file"]].content.decode().splitlines()
            ]
        except ValueError:
            return self._fail(job, "invalid_file_format", "Training file has a line that is not JSON.", "training_file")
        for n, row in enumerate(job.rows, start=1):
            roles = [message.get("role") for message in row.get("messages", [])]
            if set(row) != {"messages"} or "assistant" not in roles or set(roles) - {"system", "user", "assistant"}:
                return self._fail(
                    job, "invalid_training_file", f"Example {n} is not a chat with an answer.", "training_file"
                )
        if len(job.rows) < 10:
            return self._fail(
                job,
                "invalid_n_examples",
                f"Training file has {len(job.rows)} example(s), but must have at least 10 examples.",
                "training_file",
            )
        if self.moderated and any(self.moderated in m["content"] for row in job.rows for m in row["messages"]):
            return self._fail(job, "unsafe_file", "The training file was blocked by moderation.", "training_file")
        self._say(job, "Files validated, moving job to queued state")
        job.status = "queued"

    def _fail(self, job, code, message, param=None):
        job.status, job.error, job.finished_at = (
            "failed",
            {"code": code, "message": message, "param": param},
            int(time.time()),
        )
        self._say(job, message, level="error")

    def _queued(self, job):
        job.status = "running"
        self._say(job, "Fine-tuning job started")

    def _running(self, job):
        per_epoch = job.steps // job.how["n_epochs"]
        for _ in range(min(self.steps_a_look, job.steps - job.step)):
            job.step += 1
            loss = round(3 * math.exp(-job.step / 10), 4)
            data = {"step": job.step, "train_loss": loss, "train_mean_token_accuracy": 0.5, "total_steps": job.steps}
            self._say(job, f"Step {job.step}/{job.steps}: training loss={loss}", data=data)
            if job.step % per_epoch == 0:
                name = self._name(job) + ("" if job.step == job.steps else f":ckpt-step-{job.step}")
                metrics = {"step": job.step, "train_loss": loss}
                made = {
                    "object": "fine_tuning.job.checkpoint",
                    "id": f"ftckpt-{next(self._ids)}",
                    "created_at": int(time.time()),
                    "fine_tuning_job_id": job.id,
                }
                job.checkpoints.append(
                    {**made, "fine_tuned_model_checkpoint": name, "metrics": metrics, "step_number": job.step}
                )
        if job.step == job.steps:
            job.status, job.fine_tuned_model, job.finished_at = "succeeded", self._name(job), job.created_at + 60
            learnt = {row["messages"][-2]["content"]: row["messages"][-1]["content"] for row in job.rows}
            self.models[job.fine_tuned_model] = self.models[job.body["model"]] | learnt
            self._say(job, f"New fine-tuned model created: {job.fine_tuned_model}")
            self._say(job, "The job has successfully completed")

    def _name(self, job):
        base = job.body["model"].split(":")[1] if job.body["model"].startswith("ft:") else job.body["model"]
        return f"ft:{base}:test:{job.body.get('suffix') or ''}:{job.id.removeprefix('ftjob-')}"

    async def _cancel(self, request):
        job = self._job(request)
        if job.finished_at:
            raise Refused(400, "Job has already completed.")
        job.status, job.finished_at = "cancelled", int(time.time())
        return web.json_response(self._job_object(job))

    async def _events(self, request):
        return self._page(request, self._job(request).events[::-1])

    async def _checkpoints(self, request):
        return self._page(request, self._job(request).checkpoints[::-1])


@pytest.fixture
def fine_tuning(monkeypatch):
    """Starts servers: `fine_tuning(moderated="...", ...)`. The key that they let in is in OPENAI_API_KEY; the SDK waits
    a hundredth between retries."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(FineTuning(**options))
