"""A pipeline as plain data, as the extension takes it.

A *pipeline* is a dict of ``mode`` ("serial", "parallel", "branch"), ``join``, ``source``, ``members`` and ``sink``. A
*member*, a source and a sink are dicts of ``name``, ``options`` (those of ``Pipeline.add()``) and one of

- ``stage``: a callable, with ``has_cleanup``, ``keeps_attributes``, ``zero_copy``, ``takes`` and ``gives``;
- ``pipeline``: a pipeline in the place of a stage;
- ``registered``: type and parameters of a C++ stage.
"""

import base64
import os
import sys
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Protocol, Set, runtime_checkable

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


def spawned_member(member: "Member", type_name: str) -> "Member":
    """A callable as the plugin for Python stages gets it: pickled, with where its modules are.

    Raises PipelineInitiationError if it cannot be pickled. cloudpickle, if it is there, takes functions of the program
    itself, lambdas and closures.
    """
    try:
        import cloudpickle as pickler  # type: ignore[import]
    except ImportError:
        import pickle as pickler
    try:
        pickled = pickler.dumps(member.stage, protocol=5)
    except Exception as error:
        raise PipelineInitiationError(
            f"the stage {member.name or member.stage!r} cannot be pickled, as start_method=\"spawn\" needs it: {error}; "
            "make it a function or a class of a module, install cloudpickle, or use start_method=\"fork\""
        ) from error
    options = dict(member.options)
    params: Dict[str, Any] = {
        "pickle": base64.b64encode(pickled).decode("ascii"),
        "path": [path or os.getcwd() for path in sys.path],
        "interpreter": sys.executable,
    }
    for name in ("zero_copy", "takes", "gives"):
        value = options.pop(name, None)
        if value:
            params[name] = value
    return Member(Registered(type_name, params), member.name, options)


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

    def describe(
        self, names: CoreNames, spawned: bool = False, key: str = _PIPELINE_NAME_IN_PROFILE
    ) -> Dict[str, Any]:
        """The dict. Checks the names, and gives stages without one theirs; raises InvalidStageName.

        :param spawned: the stages run in fresh interpreters.
        """
        taken: Set[str] = set()

        def described(member: Optional[Member], type_name: str = "python") -> Optional[Dict[str, Any]]:
            if member is None:
                return None
            core_name = names.add(name_of(member.stage, member.name), taken, key)
            taken.add(core_name)
            if spawned and not isinstance(member.stage, (Registered, _HasLayout)):
                member = spawned_member(member, type_name)
            return _describe_member(member, names, spawned, key, core_name)

        return {
            "mode": self.mode,
            "join": self.join,
            "source": described(self.source, "python.source"),
            "members": [described(member) for member in self.members],
            "sink": described(self.sink, "python.sink"),
        }


@runtime_checkable
class _HasLayout(Protocol):
    """A pipeline in the place of a stage."""

    layout: Layout


def _describe_member(member: Member, names: CoreNames, spawned: bool, key: str, core_name: str) -> Dict[str, Any]:
    stage = member.stage
    options = dict(member.options)
    described: Dict[str, Any] = {"name": core_name, "options": options}
    if isinstance(stage, _HasLayout):
        if not stage.layout.members:
            raise PipelineInitiationError(f"the pipeline {core_name} has no stages; add() at least one")
        described["pipeline"] = stage.layout.describe(names, spawned, f"{key}{_PROFILE_LEVEL_SEPARATOR}{core_name}")
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
