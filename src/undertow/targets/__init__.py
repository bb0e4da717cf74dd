"""Targets: whatever answers. One Protocol, and a scripted fake that ships."""

from undertow.targets.protocol import Target
from undertow.targets.scripted import Script, ScriptedTarget, read_script

__all__ = ["Script", "ScriptedTarget", "Target", "read_script"]
