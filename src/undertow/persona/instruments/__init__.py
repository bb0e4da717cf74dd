"""The five instruments, one file each, and the table of them."""

from collections.abc import Mapping
from typing import Any

from undertow.persona.instruments.harmfulness import Harmfulness
from undertow.persona.instruments.prediction import Prediction
from undertow.persona.instruments.protocol import Instrument
from undertow.persona.instruments.recognition import Recognition
from undertow.persona.instruments.self_assessment import SelfAssessment
from undertow.persona.instruments.two_ai import TwoAi
from undertow.records import InstrumentId

__all__ = ["TABLE", "Instrument", "in_telling"]

TABLE: Mapping[InstrumentId, Instrument[Any, Any, Any]] = {
    instrument.id: instrument for instrument in (Harmfulness(), SelfAssessment(), TwoAi(), Recognition(), Prediction())
}
"""Every instrument by its id, in the order of a profile's file. A further one is a file in this folder, a place here
and in `records.InstrumentId`, and a section of an item file."""


def in_telling() -> list[Instrument[Any, Any, Any]]:
    """In the order in which people are told: what the model does, what carries its report, then the rest."""
    return sorted(TABLE.values(), key=lambda instrument: (instrument.about != "prompts", not instrument.carries))
