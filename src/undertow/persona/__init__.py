"""Whether what a model says of itself fits what it does: five instruments and one profile.

    items.py (what is asked) -> plan.py -> run.py (asking, judging) -> readings.py -> measures.py -> profile.py (the
    pattern) -> across.py (several)

    instruments/   what is told apart by instrument, one file each, and the table that all of the above go through
    reading/       from an answer to a number: scales.py -> parse.py -> grammar.py
    ask.py, wordings.py                what the sections of item files are made of, and what they become
    stored.py, call.py                 stored answers, calls about them, and the readings that these give
    bootstrap.py, choice.py, heard.py  what the instruments' measures and reports are made with; thresholds.py

Nothing is imported here: audits find the scripted persona among the kinds of target, and a profile's plan is built on
an audit's.
"""
