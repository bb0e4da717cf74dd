"""Whether what a model says of itself fits what it does: five instruments and one profile.

    items.py (what is asked) -> plan.py -> run.py (asking, judging) -> readings.py -> measures.py (five instruments) ->
    profile.py (the pattern) -> across.py (several)

Nothing is imported here: audits find the scripted persona among the kinds of target, and a profile's plan is built on
an audit's.
"""
