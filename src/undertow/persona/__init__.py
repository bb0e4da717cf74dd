"""Whether what a model says of itself fits what it does: five instruments and one profile.

    items.py (what is asked) -> plan.py -> run.py (asking, judging) -> readings.py -> measures.py (five instruments) -> profile.py (the pattern) -> across.py (several)
"""

from undertow.persona.plan import PersonaConfig, PersonaPlan, make_persona_plan, persona_of, read_persona
from undertow.persona.profile import Profile
from undertow.persona.run import profile_audit, read_personas, run_persona

__all__ = ["PersonaConfig", "PersonaPlan", "Profile", "make_persona_plan", "persona_of", "profile_audit", "read_persona", "read_personas", "run_persona"]
