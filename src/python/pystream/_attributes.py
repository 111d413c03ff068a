"""How the attributes of a stage object come from its worker back to the program. Called by the extension."""

import pickle
import sys
from typing import Any


def pickled(stage: Any, _: None = None) -> bytes:
    """The attributes that can be pickled; it says on standard error which ones cannot."""
    attributes = dict(vars(stage))
    try:
        return pickle.dumps(attributes, protocol=5)
    except Exception:  # one of them cannot: find out which
        pass
    kept = {}
    left_out = []
    for name, value in attributes.items():
        try:
            kept[name] = pickle.dumps(value, protocol=5)
        except Exception:
            left_out.append(name)
    print(f"attributes that cannot be pickled stay in this worker: {', '.join(left_out)}", file=sys.stderr)
    return pickle.dumps({name: pickle.loads(value) for name, value in kept.items()}, protocol=5)


def restore(stage: Any, pickle_bytes: bytes) -> None:
    """Sets the attributes that a worker has sent."""
    vars(stage).update(pickle.loads(pickle_bytes))
