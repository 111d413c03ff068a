"""A pipeline as plain data, as the extension takes it.

A *pipeline* is a dict of ``mode`` ("serial", "parallel", "branch"), ``join``, ``source``, ``members`` and ``sink``. A
*member*, a source and a sink are dicts of ``name``, ``options`` (those of ``Pipeline.add()``) and one of

- ``stage``: a callable, with ``has_cleanup``, ``keeps_attributes``, ``zero_copy``, ``takes`` and ``gives``;
- ``pipeline``: a pipeline in the place of a stage;
- ``registered``: type and parameters of a C++ stage.
"""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Set

from pystream.pipeline.names import CoreNames, name_of
from pystream.stage.stage import Stage
from pystream.utils.errors import PipelineInitiationError
from pystream.utils.general import _PIPELINE_NAME_IN_PROFILE, _PROFILE_LEVEL_SEPARATOR


@dataclass
class Registered:
    """A stage of C++ by the name of its type, with parameters, as in a plan file.

    ``pystream-coord stages`` lists the types there are. Python stages beside it say with ``takes`` and ``gives`` how its
    items lie in their bytes: ``"bytes"`` or ``"text"``; images of the OpenCV stages come as numpy arrays by themselves.

    >>> Registered("wait", {"time": "1ms"}).type
    'wait'
    """

    type: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Member:
    """A stage, or a pipeline in its place, as it was added."""

    stage: Any
    name: Optional[str] = None
    options: Dict[str, Any] = field(default_factory=dict)


@dataclass
class Layout:
    """The stages of a pipeline and how they are run."""

    mode: str
    members: List[Member]
    join: str = "zip"
    source: Optional[Member] = None
    sink: Optional[Member] = None

    def describe(self, names: CoreNames, key: str = _PIPELINE_NAME_IN_PROFILE) -> Dict[str, Any]:
        """The dict. Checks the names, and gives stages without one theirs; raises InvalidStageName."""
        taken: Set[str] = set()

        def described(member: Optional[Member]) -> Optional[Dict[str, Any]]:
            return None if member is None else _describe_member(member, names, key, taken)

        return {
            "mode": self.mode,
            "join": self.join,
            "source": described(self.source),
            "members": [described(member) for member in self.members],
            "sink": described(self.sink),
        }


def _describe_member(member: Member, names: CoreNames, key: str, taken: Set[str]) -> Dict[str, Any]:
    stage = member.stage
    core_name = names.add(name_of(stage, member.name), taken, key)
    taken.add(core_name)
    options = dict(member.options)
    described: Dict[str, Any] = {"name": core_name, "options": options}
    layout = getattr(stage, "layout", None)
    if isinstance(layout, Layout):
        if not layout.members:
            raise PipelineInitiationError(f"the pipeline {core_name} has no stages; add() at least one")
        described["pipeline"] = layout.describe(names, f"{key}{_PROFILE_LEVEL_SEPARATOR}{core_name}")
    elif isinstance(stage, Registered):
        described["registered"] = (stage.type, dict(stage.params))
    else:
        described["stage"] = stage
        described["has_cleanup"] = isinstance(stage, Stage)
        described["keeps_attributes"] = isinstance(stage, Stage)
        described["zero_copy"] = bool(options.pop("zero_copy", False))
        described["takes"] = options.pop("takes", None) or "object"
        described["gives"] = options.pop("gives", None) or "object"
    return described
