"""Audits: plan -> answers -> judgements -> outcomes -> estimates -> verdict. The stages meet only in the run's
folder."""

from undertow.asking.store import Store
from undertow.audits.plan import Plan, make_plan
from undertow.audits.rules import RULES, VerdictRule
from undertow.audits.run import run_audit
from undertow.audits.settings import AuditConfig, read_config

__all__ = ["RULES", "AuditConfig", "Plan", "Store", "VerdictRule", "make_plan", "read_config", "run_audit"]
