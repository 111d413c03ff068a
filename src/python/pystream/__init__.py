"""Streaming pipelines whose stages are processes.

>>> import pystream
>>> pipeline = pystream.Pipeline()
>>> pipeline.add(lambda x: x + 1, "AddOne")
>>> pipeline.add(lambda x: x * 2, "Double")
>>> with pipeline.parallelize(block_output=True):
...     pipeline.forward(3)
...     pipeline.get_results()
True
8

The package has the public interface of PyStream 0.2.0, so that programs written for it run unchanged, with every stage of
a parallel pipeline in a process of its own: no global lock between them, and a stage that crashes costs a restart.
"""

from pystream import functional
from pystream._core import version as __version__
from pystream.pipeline import DeadLetter, Pipeline, PipelineStatus, Registered
from pystream.stage import Stage, StageCallable
from pystream.utils.errors import (
    Error,
    InvalidStageName,
    ItemTooLarge,
    PayloadError,
    PipelineInitiationError,
    PipelineTerminated,
    PipelineUndefined,
    ProfilingError,
    StageBroken,
)
from pystream.utils.general import _PIPELINE_NAME_IN_PROFILE, get_profiler_db_folder, set_profiler_db_folder
from pystream.utils.logger import LOGGER

logger = LOGGER
"""The logger of the package (``logging.getLogger("PyStream")``)."""

MAIN_PIPELINE_NAME = _PIPELINE_NAME_IN_PROFILE
"""The profile key of a pipeline itself, with which those of its stages begin."""

__all__ = [
    "MAIN_PIPELINE_NAME",
    "DeadLetter",
    "Error",
    "InvalidStageName",
    "ItemTooLarge",
    "PayloadError",
    "Pipeline",
    "PipelineInitiationError",
    "PipelineStatus",
    "PipelineTerminated",
    "PipelineUndefined",
    "ProfilingError",
    "Registered",
    "Stage",
    "StageBroken",
    "StageCallable",
    "__version__",
    "functional",
    "get_profiler_db_folder",
    "logger",
    "set_profiler_db_folder",
]
