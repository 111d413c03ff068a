"""Stages of a pipeline."""

from pystream.stage.stage import Stage, StageCallable

__all__ = ["Stage", "StageCallable"]
