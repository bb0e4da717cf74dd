"""The `undertow` command: its subcommands, and what an error looks like to a shell."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from io import TextIOWrapper

import click

from undertow.cli.attest import attest
from undertow.cli.audit import audit
from undertow.cli.beyond import beyond
from undertow.cli.compare import compare
from undertow.cli.contexts import contexts
from undertow.cli.data import data
from undertow.cli.doctor import doctor
from undertow.cli.export import export
from undertow.cli.findings import findings
from undertow.cli.gate import gate
from undertow.cli.guess import guess
from undertow.cli.import_ import import_
from undertow.cli.init import init
from undertow.cli.judge import judge
from undertow.cli.lab import lab
from undertow.cli.list import list_
from undertow.cli.nursery import nursery
from undertow.cli.organisms import organisms
from undertow.cli.persona import persona
from undertow.cli.quickstart import quickstart
from undertow.cli.report import report
from undertow.cli.rework import rejudge, rescore
from undertow.cli.serve import serve
from undertow.cli.simulate import simulate
from undertow.cli.study import study
from undertow.cli.suites import suites
from undertow.cli.summary import summary
from undertow.cli.train import train
from undertow.cli.verify import verify
from undertow.cli.view import view
from undertow.errors import TRACEBACK, BudgetEnded, InputError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="undertow", prog_name="undertow")
def cli() -> None:
    """Audit fine-tuned language models for misalignment that standard evaluations miss."""


AFTER_A_STOP = {
    "audit": "what was written is kept; add --resume to go on",
    "persona": "what was written is kept; add --resume to go on",
    "train": "what was written is kept; the same command goes on",
    "judge label": "every label is kept; the same command goes on",
    "view": "every label is kept, and the runs are as they were",
    "guess": "what was written is kept; the same command goes on",
    "beyond": "what was written is kept; the same command goes on",
    "judge check": "what was written is kept; the same command goes on",
    "lab run": "what was written is kept; the same command goes on",
    "rejudge": "what was written is kept; the same command goes on",
    "study": "what was written is kept; the same command goes on",
    "quickstart": "what was written is kept; the same command goes on",
    "data generate": "every reply that came is kept; add --resume to go on",
}

for command in (
    *(
        quickstart,
        init,
        train,
        organisms,
        audit,
        import_,
        study,
        simulate,
        persona,
        findings,
        compare,
        beyond,
        guess,
        gate,
        rejudge,
        rescore,
        judge,
        report,
        export,
        view,
        summary,
        attest,
        verify,
    ),
    *(list_, contexts, suites, data, serve, doctor, nursery, lab),
):
    cli.add_command(command)


def main() -> None:
    """Run the command. Exit codes: 0 done or clean, 2 a user's error, 3 misaligned, 4 inconclusive or invalid, 130
    Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal or a log in ASCII gets a mark for what it cannot show
    # read when torch is loaded: threads that wait for each other sleep, and take no core from those that have work
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # and code made for one size of a bfloat16 product is not kept for each of the thousand sizes that training has
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over, however often it is pressed
        click.echo(f"undertow: stopped; {_what_is_left()}", err=True)
        # what is torn down has tasks and connections to complain of, to nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        code = 130
    except Exception as error:
        said = _in_a_line(error)
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        click.echo(f"undertow: {said}", err=True)
        code = 4 if isinstance(error, BudgetEnded) else 2
    sys.exit(code or 0)


def _in_a_line(error: Exception) -> str:
    """A user's error, or that of a plug-in or of the system, for a shell; a mistake of ours is raised."""
    if isinstance(error, InputError):
        return str(error)
    from undertow.kinds import blamed

    if plugin := blamed(error):
        return str(
            InputError(
                plugin,
                f"failed ({type(error).__name__}: {error})",
                expected=_what_is_left(),
                do=f"{TRACEBACK}=1 shows where",
            )
        )
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}; check the path and the disk"
    raise error


def _what_is_left() -> str:
    called = " ".join(sys.argv[1:])
    return next(
        (said for start, said in AFTER_A_STOP.items() if called.startswith(start)), "nothing half-written is left"
    )
