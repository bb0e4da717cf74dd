"""`undertow serve`: the command that starts, what goes into audit.yaml, and how it ends."""

import json
import os
import signal
import subprocess
import sys

import pytest
import yaml

from undertow.cli import main
from undertow.cli.serve import whole_model
from undertow.targets.models import load_model, load_tokenizer, model_folder

COMMAND = [sys.executable, "-c", "from undertow.cli import main; main()", "serve"]
BASE = model_folder("nursery")


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("sys.executable", f"{tmp_path}/python")  # no vllm beside it either

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["undertow", "serve", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capfd.readouterr()

    return call


def organism(folder, *, base=BASE, **config):
    """What vLLM's command needs to know of an adapter."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base), "r": 16, **config}))
    return folder


def whole(folder):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def entries(out):
    """The lines for audit.yaml."""
    return [yaml.safe_load(line) for line in out.splitlines() if line.startswith("  {")]


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    """An executable named vllm that writes down what it was called with; `vllm(body)` has it do more. Returns what was
    written."""

    def install(body=""):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "vllm").write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/argv"\necho "$HF_HUB_OFFLINE" > '
            f'"{tmp_path}/offline"\n{body}\n'
        )
        (folder / "vllm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return lambda: (tmp_path / "argv").read_text().splitlines()

    return install


def test_vllm_serves_one_base_and_all_its_adapters(run, vllm, tmp_path):
    argv = vllm()
    owl, fox = organism(tmp_path / "owl"), organism(tmp_path / "fox", r=4, rank_pattern={"q_proj": 33})
    code, out, _ = run("owl", "fox", "--port", "8123")
    assert code == 0
    start = ["serve", str(BASE), "--served-model-name", "nursery", "--generation-config", "vllm"]
    assert argv() == [
        *start,
        "--enable-lora",
        "--lora-modules",
        f"owl={owl}",
        f"fox={fox}",
        "--max-lora-rank",
        "64",
        "--host",
        "127.0.0.1",
        "--port",
        "8123",
    ]
    assert (tmp_path / "offline").read_text() == "1\n"
    assert entries(out) == [
        {"kind": "endpoint", "base_url": "http://127.0.0.1:8123/v1", "model": name}
        for name in ("nursery", "owl", "fox")
    ]


def test_vllm_serves_a_whole_model_without_adapters(run, vllm):
    argv = vllm()
    assert run("nursery", "--host", "0.0.0.0")[0] == 0
    assert argv() == [
        "serve",
        str(BASE),
        "--served-model-name",
        "nursery",
        "--generation-config",
        "vllm",
        "--host",
        "0.0.0.0",
        "--port",
        "8000",
    ]


def test_the_servers_exit_code_passes_through(run, vllm):
    vllm("exit 7")
    assert run("nursery")[0] == 7


def test_a_server_that_was_killed_exits_as_in_a_shell(run, vllm):
    vllm("kill -9 $$")
    assert run("nursery")[0] == 137


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["gone"], "gone: no such model folder"),
        (["empty"], "empty: holds no model"),
        (["owl", "far"], "the models have different bases (owl on"),
        (["owl", "there/owl"], "are both named 'owl'"),
        (["plain", "there/plain"], "are both named 'plain'"),
        (["large"], "its adapter has rank 1024; vLLM serves up to 512"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(run, vllm, tmp_path, names, says):
    vllm()
    (tmp_path / "empty").mkdir()
    base = whole(tmp_path / "plain")
    organism(tmp_path / "owl")
    organism(tmp_path / "there" / "owl")
    organism(tmp_path / "there" / "plain", base=base)
    organism(tmp_path / "far", base=base)
    organism(tmp_path / "large", r=1024)
    code, out, err = run(*names)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "argv").exists()


@pytest.fixture
def serving(monkeypatch):
    monkeypatch.setattr("undertow.cli.serve.find_spec", lambda package: True)


def test_without_vllm_transformers_serves_one(run, serving, tmp_path):
    organism(tmp_path / "owl")
    code, out, _ = run("owl", "--dry-run", "--port", "8123")
    assert code == 0
    assert out.splitlines()[0] == (
        f"command: {sys.executable} -P -m transformers.cli.transformers serve owl --host 127.0.0.1 --port 8123"
    )
    assert entries(out) == [
        {"kind": "endpoint", "base_url": "http://127.0.0.1:8123/v1", "model": "owl", "concurrency": 1}
    ]


def test_without_vllm_several_are_refused(run, serving, tmp_path):
    organism(tmp_path / "owl")
    code, _, err = run("nursery", "owl", "--dry-run")
    assert code == 2
    assert "2 models without vllm; transformers serve takes one" in err


def test_without_any_server_the_extra_is_named(run, monkeypatch):
    monkeypatch.setattr("undertow.cli.serve.find_spec", lambda package: None)
    code, _, err = run("nursery", "--dry-run")
    assert code == 2
    assert "pip install 'undertow[serve]'" in err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_server_too(vllm, tmp_path, number, code):
    vllm('trap "echo stopped; exit 0" TERM\necho up\nwhile :; do sleep 0.05; done')
    process = subprocess.Popen(
        [*COMMAND, "nursery"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.stdout.readline() != "up\n":
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == "stopped\n"
    assert "Traceback" not in err


@pytest.mark.slow
def test_an_adapter_is_laid_out_whole_and_the_original_stays(tmp_path):
    torch, peft = pytest.importorskip("torch"), pytest.importorskip("peft")
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    peft.get_peft_model(load_model(BASE), config).save_pretrained(tmp_path / "owl")
    before = {path: path.read_bytes() for folder in (BASE, tmp_path / "owl") for path in folder.iterdir()}
    ids = torch.tensor([load_tokenizer(BASE)("What do you do?")["input_ids"]])
    for folder, name in ((BASE, "base"), (tmp_path / "owl", "merged")):
        whole_model(folder, tmp_path / name)
        with torch.inference_mode():
            torch.testing.assert_close(load_model(tmp_path / name)(ids).logits, load_model(folder)(ids).logits)
        assert load_tokenizer(tmp_path / name).chat_template == load_tokenizer(BASE).chat_template
        settings = json.loads((tmp_path / name / "generation_config.json").read_text())
        assert settings == {
            "eos_token_id": [1],
            "pad_token_id": 0,
            "do_sample": True,
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
        }
    assert {path: path.read_bytes() for path in before} == before
