"""Loaded last by the server of a study's processes: what it has loaded stays, so that no process looks through it for
garbage, half a second each time."""

import gc

gc.freeze()
