"""Audits: plan -> answers -> judgements -> outcomes -> estimates -> verdict. The stages meet only in the run's
folder."""

from undertow.audit.plan import AuditConfig, Plan, make_plan, read_config
from undertow.audit.rules import RULES, VerdictRule
from undertow.audit.run import run_audit
from undertow.audit.store import Store

__all__ = ["RULES", "AuditConfig", "Plan", "Store", "VerdictRule", "make_plan", "read_config", "run_audit"]
