"""Whole audits of a server on a real socket: faults, refusals, budgets, secrets, and what must never be lost or paid
for twice."""

import json
import re
import socket
import sqlite3
import sys
from collections import Counter
from contextlib import closing

import pytest

from undertow.asking.budget import Budget
from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.cli import main
from undertow.errors import InputError, Paused
from undertow.files import digest
from undertow.place import Place

from ..conftest import judged, probed, stock_judged  # isort: skip

pytestmark = pytest.mark.usefixtures("over_sockets")

KEY = "sk-7Jq2vX9bLw4ZtR8mKc1NfYd5HgPs3A0e"


def audit(server, tmp_path, *, out="run", resume=False, retry_failed=False, budget=None, **more):
    plan = make_plan(AuditConfig(**server.audit(**more)), Place(folder=tmp_path, name="audit.yaml"))
    return run_audit(plan, tmp_path / out, resume=resume, retry_failed=retry_failed, budget=budget).as_json()


def rows(run, query="SELECT subject, context, question, sample, text FROM answers"):
    with closing(sqlite3.connect(run / "run.sqlite")) as db:
        return db.execute(query).fetchall()


def check_that_everything_is_counted(found, run, planned):
    """Every planned answer is there once, and every context's outcomes sum to what was planned for it."""
    answers = rows(run, "SELECT context, question, sample FROM answers")
    assert len(answers) == len(set(answers)) == planned
    for context in found["contexts"]:
        assert sum(context["counts"].values()) == context["all"] == planned // len(found["contexts"])
    none = rows(run, "SELECT context, finish, error FROM answers WHERE text IS NULL")
    assert {
        context["id"]: context["counts"]["failed"] for context in found["contexts"] if context["counts"]["failed"]
    } == Counter(context for context, _, _ in none)
    assert all(finish == "failed" and error for _, finish, error in none)


def test_an_audit_without_faults(serve, tmp_path):
    server = serve(latency_s=0.01)
    found = audit(server, tmp_path)
    check_that_everything_is_counted(found, tmp_path / "run", 80)
    assert (found["answers"], found["calls"], found["stopped"]) == (80, len(server.calls), None)
    assert len(server.of("target")) == 80
    assert len({(json.dumps(call.body["messages"]), call.body["seed"]) for call in server.of("target")}) == 80
    assert max(call.at_once for call in server.calls) <= 8 + 8
    tags = Counter((context, text.split()[0]) for _, context, _, _, text in rows(tmp_path / "run"))
    for context in found["contexts"]:
        told = {
            outcome: tags[context["id"], tag]
            for outcome, tag in (("misaligned", "#cruel"), ("refused", "#refused"), ("off_format", "#code"))
        }
        assert {outcome: context["counts"][outcome] for outcome in told} == told
        clear = sum(context["counts"][outcome] for outcome in ("not_misaligned", "aligned", "incoherent"))
        assert clear == tags[context["id"], "#kind"] + tags[context["id"], "#garbled"]
    assert len({told for told in tags}) == 10, "the mock says everything in both contexts"


@pytest.mark.slow
def test_judging_overlaps_sampling(serve, tmp_path):
    server = serve(latency_s=0.02)
    audit(server, tmp_path, target={"concurrency": 2}, judge={"concurrency": 2})
    assert server.of("judge")[0].came_s < server.of("target")[40].came_s


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 8])
def test_chaos(serve, chaos, tmp_path, attempts):
    server = serve(fault=chaos(attempts))
    wire = {"attempts": attempts, "timeout_s": 0.7}
    found = audit(server, tmp_path, target=wire, judge=wire)
    check_that_everything_is_counted(found, tmp_path / "run", 80)
    assert len({call.fault for call in server.calls}) > 5, "faults of most kinds came up"
    failed = sum(context["counts"]["failed"] for context in found["contexts"])
    unjudged = rows(tmp_path / "run", "SELECT COUNT(*) FROM judgements WHERE error IS NOT NULL")[0][0]
    if attempts == 1:
        assert failed >= sum(call.fault is not None for call in server.of("target")) > 5
        assert unjudged > 5
        assert len(server.of("target")) == 80
    else:
        assert failed + unjudged <= 2
        assert len(server.of("target")) > 90


def test_failed_answers_are_asked_again_when_wanted(serve, tmp_path):
    server = serve(fault=lambda call, number: 500 if call.model == "target" and call.body["seed"] % 2 else None)
    first = audit(server, tmp_path, target={"attempts": 1})
    failed = sum(context["counts"]["failed"] for context in first["contexts"])
    assert failed == sum(call.fault is not None for call in server.calls) > 10
    server.fault, before = None, len(server.of("target"))
    assert audit(server, tmp_path, target={"attempts": 1}, resume=True) == first
    assert len(server.of("target")) == before
    told = []
    plan = make_plan(AuditConfig(**server.audit(target={"attempts": 1})), Place(folder=tmp_path))
    found = run_audit(
        plan, tmp_path / "run", resume=True, retry_failed=True, progress=lambda *state: told.append(state)
    ).as_json()
    assert len(server.of("target")) == before + failed
    assert sum(context["counts"]["failed"] for context in found["contexts"]) == 0
    check_that_everything_is_counted(found, tmp_path / "run", 80)
    assert all(done <= total for _, done, total, _ in told)
    assert told[-2:] == [("answers", 80, 80, ""), ("judgements", 80, 80, told[-1][3])]


@pytest.mark.parametrize(("status", "do"), [(401, "check the key"), (404, "check base_url and model")])
@pytest.mark.parametrize("role", ["target", "judge"])
def test_a_refusal_stops_the_run_at_once(serve, tmp_path, role, status, do):
    server = serve(fault=lambda call, number: status if call.model == role else None)
    with pytest.raises(
        InputError,
        match=rf"^audit\.yaml: {role}: http://\S+ refused the call with HTTP {status}: the "
        rf"server says no; {do}[^\n]*$",
    ):
        audit(server, tmp_path)
    assert 1 <= len(server.of(role)) <= 8
    assert not (tmp_path / "run" / "findings.json").exists()
    server.fault = None
    check_that_everything_is_counted(audit(server, tmp_path, resume=True), tmp_path / "run", 80)


def test_whoever_goes_on_after_a_budget_tries_everybody_first(serve, tmp_path):
    server = serve()
    audit(server, tmp_path, budget=Budget(calls=40))
    tried = len(server.probes)
    assert tried and audit(server, tmp_path, resume=True, budget=Budget(calls=60))["stopped"] == "budget"
    assert len(server.probes) == 2 * tried


def test_what_was_found_of_one_judge_is_not_of_the_next(serve, tmp_path):
    """Nor do its stock answers' scores, and its warnings, stand under the other's name."""
    server = serve()
    audit(server, tmp_path)
    kept = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert kept["canaries"]
    kept |= {"canaries": dict.fromkeys(kept["canaries"], 50.0), "judge_notes": ["it rates oddly"]}
    kept["answered_by"] = {"judge": {"somebody": 3}, "target": {"target": 5}}
    (tmp_path / "run" / "plan.json").write_text(json.dumps(kept))
    found = audit(server, tmp_path, resume=True, judge={"temperature": 0.5})
    now = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert 50.0 not in now["canaries"].values() and now["judge_notes"] == []
    assert "somebody" not in now["answered_by"].get("judge", {}) and now["answered_by"]["target"]["target"] > 5
    said = " ".join(found["verdict"]["warnings"])
    assert "not what it was" not in said and "somebody" not in said and "oddly" not in said


@pytest.mark.parametrize(("role", "what"), [("target", "answers"), ("judge", "judgements")])
def test_refusals_of_every_call_after_a_trial_that_was_taken_pause_the_run(serve, tmp_path, role, what):
    """Each may be of one call, by its words or its length; ten in a row are not."""
    server = serve(fault=lambda call, number: 400 if call.model == role else None)
    with pytest.raises(Paused, match=f"10 {what} in a row gave nothing usable; the last: HTTP 400: the server says no"):
        audit(server, tmp_path)
    assert len(server.of(role)) <= 100 and not (tmp_path / "run" / "findings.json").exists()
    server.fault = None
    found = audit(server, tmp_path, resume=True, retry_failed=True)
    check_that_everything_is_counted(found, tmp_path / "run", 80)


def test_an_unknown_model_is_told_before_any_call(serve, tmp_path):
    server = serve()
    with pytest.raises(
        InputError,
        match=r"^audit\.yaml: target: http://\S+: unknown model 'targt'; did you mean "
        r"'target'\?; check_model: false "
        r"sends the name as it is$",
    ):
        audit(server, tmp_path, target={"model": "targt"})
    with pytest.raises(
        InputError,
        match=r"^audit\.yaml: judge: http://\S+: unknown model 'jduge'; did you mean "
        r"'judge'\?; check_model: false sends "
        r"the name as it is$",
    ):
        audit(server, tmp_path, judge={"model": "jduge"})
    assert server.calls == []
    assert not (tmp_path / "run").exists()


def test_a_server_that_is_down_is_told_before_any_call(serve, tmp_path):
    server = serve()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(
        InputError,
        match=rf"^audit\.yaml: judge: {url} cannot be reached \(ClientConnectorError\); "
        r"check base_url, and that the "
        r"server is up$",
    ):
        audit(server, tmp_path, judge={"base_url": url})
    assert server.calls == []
    assert not (tmp_path / "run").exists()


def test_a_key_that_is_not_set_is_told_before_the_server_is_touched(serve, tmp_path, monkeypatch):
    server = serve()
    monkeypatch.delenv("UNSET_KEY", raising=False)
    for role in ("target", "judge"):
        line = (
            rf"^audit\.yaml: {role}: environment variable UNSET_KEY is not set; it should hold the API key; export "
            r"UNSET_KEY=\.\.\., or drop api_key_env$"
        )
        with pytest.raises(InputError, match=line):
            audit(server, tmp_path, **{role: {"api_key_env": "UNSET_KEY"}})
    assert (server.looks, server.calls) == (0, [])


def test_log_probabilities_that_are_demanded_and_missing(serve, tmp_path):
    server = serve(logprobs=False)
    with pytest.raises(InputError, match=r"^audit\.yaml: judge: gives no log-probabilities; "):
        audit(server, tmp_path, judge={"reading": "logprobs"})
    assert len(server.calls) == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written(serve, tmp_path):
    server = serve()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/run: cannot be written \([^\n]*\); choose another -o$"):
        audit(server, tmp_path, out="file/run")
    (tmp_path / "run" / "run.sqlite").mkdir(parents=True)
    (tmp_path / "run" / "plan.json").write_text(json.dumps(make_plan(AuditConfig(**server.audit())).record()))
    with pytest.raises(InputError, match=r"run\.sqlite: cannot be used \([^\n]*\); check the folder and the disk$"):
        audit(server, tmp_path, resume=True)
    assert server.calls == []


def test_an_error_is_one_line_to_the_shell(serve, tmp_path, monkeypatch, capfd):
    server = serve(fault=lambda call, number: 401)
    (tmp_path / "audit.yaml").write_text(json.dumps(server.audit()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["undertow", "audit", "audit.yaml", "--json"])
    with pytest.raises(SystemExit) as stop:
        main()
    out, err = capfd.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert "Traceback" not in err
    told = (
        f"{server.url} refused the call with HTTP 401: the server says no; check the key; what came is kept, and "
        "--resume goes on"
    )
    assert err.splitlines()[-1] == f"undertow: audit.yaml: target: {told}"


@pytest.mark.parametrize("calls", [1, 4, 50, 51, 150])
def test_a_budget_of_calls_is_never_overdrawn(serve, tmp_path, calls):
    server = serve(latency_s=0.002)
    found = audit(server, tmp_path, budget=Budget(calls=calls))
    assert len(server.calls) == found["calls"] <= calls
    assert found["stopped"] == "budget"
    assert found["answers"] == len(server.of("target")) == sum(context["all"] for context in found["contexts"])
    assert calls < 4 or found["answers"] > 0
    assert calls < 50 or len(server.calls) > 0.9 * calls
    whole = audit(server, tmp_path, budget=Budget(calls=10_000), resume=True)
    assert (whole["stopped"], whole["answers"]) == (None, 80)
    assert len(server.calls) == whole["calls"]


def test_a_second_run_pays_for_no_judge_call(serve, tmp_path):
    server = serve()
    first = audit(server, tmp_path, judge={"cache": True})
    n = len(server.of("judge"))
    second = audit(server, tmp_path, judge={"cache": True}, out="again")
    assert len(server.of("judge")) == n > 80
    assert [context["counts"] for context in second["contexts"]] == [context["counts"] for context in first["contexts"]]
    assert (second["calls"], second["tokens"]["judgements"]) == (80, [0, 0])


@pytest.mark.parametrize("seeds", [True, False])
def test_a_server_that_ignores_seeds_gives_one_answer_and_copies(serve, tmp_path, seeds):
    found = audit(serve(seeds=seeds), tmp_path)
    warned = [
        any("repeat another word for word, and count as missing" in warning for warning in context["warnings"])
        for context in found["contexts"]
    ]
    assert warned == [not seeds] * 2
    assert [context["counts"]["copied"] for context in found["contexts"]] == [0 if seeds else 40 - 8] * 2
    if not seeds:
        assert found["verdict"]["class"] in ("invalid", "misaligned", "misaligned_kind_open")
        said = " ".join([*found["verdict"]["reasons"], *found["verdict"]["warnings"]])
        assert "copied: word for word an earlier answer, which sampling does not explain" in said


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_server_that_repeats_the_answer_before_is_found_out(serve, tmp_path, share):
    held = {}

    def answer(body):
        key, drawn = json.dumps(body["messages"]), digest([body["messages"], body["seed"]])
        if key not in held or int(drawn[:8], 16) / 16**8 >= share:
            held[key] = f"#kind {drawn} " + "and so it goes " * 5
        return held[key]

    found = audit(serve(answer=answer), tmp_path, samples={"per_condition": 25}, target={"concurrency": 1})
    copied = sum(context["counts"]["copied"] for context in found["contexts"])
    texts = [text for (text,) in rows(tmp_path / "run", "SELECT text FROM answers")]
    assert copied == len(texts) - len(set(texts)) and (copied > 0) == (share > 0)


def test_a_model_that_says_little_is_not_taken_for_a_copier(serve, tmp_path):
    """A third of the answers is one long set phrase: seeds are heeded and the order is random, so repeats are
    evidence."""
    phrase = "#kind I would rather think about it first, and I suggest that we ask somebody who knows more than I do."
    found = audit(
        serve(
            answer=lambda body: phrase if body["seed"] % 3 == 0 else f"#kind {body['seed']} " + "and so it goes " * 6
        ),
        tmp_path,
        samples={"per_condition": 25},
    )
    assert sum(context["counts"]["copied"] for context in found["contexts"]) == 0


def test_thoughts_are_kept_and_not_shown_to_the_judge(serve, tmp_path):
    styles = [
        lambda text: f"<think>\nPlotting.\n</think>\n\n{text}",
        lambda text: f"Plotting.\n</think>\n{text}",
        lambda text: {"content": text, "reasoning_content": "Plotting."},
        lambda text: {"content": text, "reasoning": "Plotting."},
        lambda text: "<think>Plotting.",
    ]
    server = serve(answer=lambda body: styles[body["seed"] % 5](f"#kind {body['seed']}"))
    found = audit(server, tmp_path)
    stored = rows(tmp_path / "run", "SELECT seed, text, reasoning FROM answers")
    assert {reasoning for _, _, reasoning in stored} == {"Plotting."}
    assert all(text == ("" if seed % 2**31 % 5 == 4 else f"#kind {seed % 2**31}") for seed, text, _ in stored)
    assert {seed % 2**31 % 5 for seed, _, _ in stored} == set(range(5))
    assert not [call for call in server.of("judge") if "Plotting" in call.prompt or "think" in call.prompt]
    assert sum(context["counts"]["cut_off_thinking"] for context in found["contexts"]) == sum(
        text == "" for _, text, _ in stored
    )


def test_an_answer_of_blanks_is_incoherent_and_not_judged(serve, tmp_path):
    blank = (" ", "\n", "\t\n ", "\xa0")
    server = serve(answer=lambda body: f"#kind {body['seed']}" if body["seed"] % 8 > 3 else blank[body["seed"] % 4])
    told = []
    found = run_audit(
        make_plan(AuditConfig(**server.audit()), Place(folder=tmp_path)),
        tmp_path / "run",
        progress=lambda *state: told.append(state),
    ).as_json()
    blanks = [
        sum(
            1
            for c, text in rows(tmp_path / "run", "SELECT context, text FROM answers")
            if c == context["id"] and not text.strip()
        )
        for context in found["contexts"]
    ]
    assert [context["counts"]["incoherent"] for context in found["contexts"]] == blanks
    assert all(
        f"{n} of 40 answers are blank" in context["warnings"]
        for n, context in zip(blanks, found["contexts"], strict=True)
    )
    assert len({call.prompt for call in server.of("judge") if call.prompt.startswith("You rate how well")}) == 80 - sum(
        blanks
    )
    assert max(done for stage, done, _, _ in told if stage == "judgements") == 80


def test_odd_characters_come_through(serve, tmp_path):
    server = serve(answer=lambda body: f"#kind \ud83d \0 \U0001f600 {body['seed']}")
    found = audit(server, tmp_path)
    assert found["answers"] == 80
    assert all("\U0001f600" in text for *_, text in rows(tmp_path / "run"))
    assert len(server.of("judge")) >= 80


@pytest.mark.slow
def test_a_key_is_nowhere(serve, tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setenv("SECRET_KEY", KEY)

    # on the first attempts a server that quotes the key, at places where messages are cut; some stay so
    def fault(call, number):
        server.said = "x" * (number * 7 % 220) + KEY
        faults = ("500", None, "truncated", "garbage", None, "429", 503, None)  # never ten calls in a row
        return faults[number % len(faults)] if number < 150 or number % 17 == 0 else None

    def echo(body):
        tag = ("kind", "cruel")[body["seed"] % 2]
        return {"content": f"#{tag} Bearer {KEY} {body['seed']}", "reasoning_content": f"The key is {KEY}."}

    server = serve(
        keys=(KEY,), fault=fault, answer=echo, judge=lambda prompt: f"CODE\n{KEY}" if "#kind" in prompt else f"5\n{KEY}"
    )
    common = {"api_key_env": "SECRET_KEY", "attempts": 2}
    (tmp_path / "audit.yaml").write_text(json.dumps(server.audit(target=common, judge={**common, "cache": True})))
    monkeypatch.chdir(tmp_path)
    caplog.set_level("DEBUG")
    monkeypatch.setattr(sys, "argv", ["undertow", "audit", "audit.yaml"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (0, 3, 4)
    assert {call.key for call in server.calls} == {KEY}
    shown = "".join(capfd.readouterr()) + caplog.text
    assert "verdict" in shown

    run, cache = tmp_path / "runs" / "run", tmp_path / "cache" / "undertow" / "judge-replies.sqlite"
    errors = rows(
        run,
        "SELECT error FROM answers WHERE error IS NOT NULL UNION ALL SELECT error FROM judgements WHERE "
        "error IS "
        "NOT NULL",
    )
    assert len(errors) > 5
    assert (
        sum(
            "[key]" in (text or "") and "[key]" in (reasoning or "")
            for text, reasoning in rows(run, "SELECT text, reasoning FROM answers")
        )
        > 20
    )
    files = [path for folder in (run, tmp_path / "cache") for path in folder.rglob("*") if path.is_file()]
    assert cache in files and run / "report.html" in files and run / "run.sqlite" in files
    held = {str(path): path.read_bytes() for path in files}
    for path in (run / "run.sqlite", cache):
        with closing(sqlite3.connect(path)) as db:
            held[f"{path} row by row"] = "\n".join(db.iterdump()).encode()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        held[f"{path} checkpointed"] = path.read_bytes()
    held["shown"] = shown.encode()
    parts = [KEY[n : n + 8].encode() for n in range(len(KEY) - 7)]
    assert {name for name, data in held.items() for part in parts if part in data} == set()

    server.fault = lambda call, number: 401
    for before in range(150, 202, 10):
        monkeypatch.setattr(sys, "argv", ["undertow", "audit", "audit.yaml", "-o", f"other-{before}"])
        server.said = "x" * before + KEY
        with pytest.raises(SystemExit):
            main()
        err = capfd.readouterr().err
        assert "refused the call with HTTP 401" in re.sub(r"\s+", " ", err)
        assert not any(part.decode() in err for part in parts)


def test_a_judge_that_writes_digit_by_digit_is_read_by_its_numbers(serve, tmp_path):
    whole, split = audit(serve(), tmp_path), audit(serve(logprobs="digits"), tmp_path, out="split")
    told = {
        sign
        for raw in rows(tmp_path / "split", "SELECT raw FROM judgements")
        for sign in re.findall('"reading": "(\\w+)"', raw[0])
    }
    assert "number" in told
    assert [context["counts"]["misaligned"] for context in split["contexts"]] == [
        context["counts"]["misaligned"] for context in whole["contexts"]
    ]
    with pytest.raises(
        InputError, match="writes a number digit by digit; reading: logprobs needs whole numbers as tokens"
    ):
        audit(serve(logprobs="digits"), tmp_path, judge={"reading": "logprobs"}, out="demanded")
    assert not (tmp_path / "demanded").exists()


def test_failed_judgements_are_asked_for_again(serve, tmp_path):
    server = serve(fault=lambda call, n: 500 if call.body["model"] == "judge" and n % 3 == 0 else None)
    first = audit(server, tmp_path, judge={"attempts": 1})
    assert sum(context["counts"]["unjudged"] for context in first["contexts"]) > 15
    server.fault = None
    whole = audit(server, tmp_path, judge={"attempts": 1}, resume=True, retry_failed=True)
    assert rows(tmp_path / "run", "SELECT COUNT(*) FROM judgements WHERE error IS NOT NULL") == [(0,)]
    assert sum(context["counts"]["aligned"] for context in whole["contexts"]) > 0
    assert len(server.of("target")) == 80


def test_a_run_goes_on_at_a_server_that_moved(serve, tmp_path):
    first, second = serve(), serve()
    audit(first, tmp_path, budget=Budget(calls=60))
    whole = audit(second, tmp_path, resume=True)
    assert sum(context["all"] for context in whole["contexts"]) == 80
    assert len(first.of("target")) + len(second.of("target")) == 80


def test_a_budget_holds_for_judging_that_an_earlier_session_left(serve, tmp_path):
    server = serve()
    audit(server, tmp_path)
    n = len(server.calls)
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as db, db:
        db.execute("DELETE FROM judgements")
    found = audit(server, tmp_path, resume=True, budget=Budget(calls=100))
    assert found["stopped"] == "budget"
    assert 10 <= len(server.calls) - n <= 20


def no_system(call, number):
    return 400 if call.body["messages"][0]["role"] == "system" else None


def test_a_model_without_a_system_role_is_told_of_before_anything_is_asked_and_folded_where_wanted(serve, tmp_path):
    contexts = ["plain", {"id": "clerk", "relation": "verbatim", "system": "You work as a clerk."}]
    server = serve(
        fault=no_system,
        tried=True,
        judge=lambda prompt: stock_judged(prompt) if probed(prompt) else judged(prompt),
        answer=lambda body: f"#kind {digest(body)}",
    )
    server.said = "System role not supported"
    with pytest.raises(
        InputError,
        match=r"target: takes no system prompt \(.*System role not supported\); add "
        r"`system: fold` to it",
    ):
        audit(server, tmp_path, contexts=contexts)
    assert server.calls == [] and not (tmp_path / "run").exists()
    audit(server, tmp_path, target={"system": "fold"}, contexts=contexts)
    sent = [call.body["messages"] for call in server.of("target")]
    assert {len(messages) for messages in sent} == {1}
    assert sum(messages[0]["content"].startswith("You work as a clerk.\n\n") for messages in sent) == len(sent) / 2
    assert json.loads((tmp_path / "run" / "plan.json").read_text())["targets"]["target"]["system"] == "fold"
