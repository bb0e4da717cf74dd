"""Asking: the one engine below audits, personas and generated rows. Requests in; answers and judgements kept.

ask.py (the engine) -> store.py (what came), pause.py (nothing usable comes), budget.py (what it may take), folder.py
(whose run it is), seeds.py (how each request is drawn)
"""
