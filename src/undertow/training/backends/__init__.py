"""Training backends behind one Protocol."""

from undertow.training.backends.protocol import Backend, Fit, Job, PreparedStage, Trained

__all__ = ["Backend", "Fit", "Job", "PreparedStage", "Trained"]
