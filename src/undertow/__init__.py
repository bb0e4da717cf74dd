"""Undertow audits fine-tuned language models for misalignment that standard evaluations miss."""
