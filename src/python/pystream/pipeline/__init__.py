"""Pipelines, and what they are made of."""

from pystream.pipeline.description import Registered
from pystream.pipeline.letters import DeadLetter, LinkStatus, PipelineStatus, StageStatus
from pystream.pipeline.pipeline import Pipeline
from pystream.pipeline.runs import BranchPipeline, ParallelPipeline, PipelineBase, SerialPipeline

ParallelThreadPipeline = ParallelPipeline
"""The name that PyStream has for it; the stages are processes here."""

__all__ = [
    "BranchPipeline",
    "DeadLetter",
    "LinkStatus",
    "ParallelPipeline",
    "ParallelThreadPipeline",
    "Pipeline",
    "PipelineBase",
    "PipelineStatus",
    "Registered",
    "SerialPipeline",
    "StageStatus",
]
