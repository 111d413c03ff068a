from typing import Any, Callable, Dict, List, Optional, Tuple

version: str

class StageStatus:
    key: str
    pid: int
    items: int
    errors: int
    last_error: str
    restarts: int
    link_fill: float

class LinkStatus:
    name: str
    items: int
    dropped: int
    fill: float

class PipelineStatus:
    coordinator: int
    given_up: int
    stages: List[StageStatus]
    links: List[LinkStatus]

class Letter:
    stage: str
    sequence: int
    attempts: int
    reason: str
    signal: int
    stack: str
    bytes: bytes

class Run:
    def __init__(self, description: Dict[str, Any], options: Dict[str, Any]) -> None: ...
    def forward(self, data: Any, stopped: Optional[Callable[[], bool]] = None) -> bool: ...
    def get_results(self) -> Any: ...
    def get_all_results(self, limit: int) -> List[Any]: ...
    def drain(self, timeout: float) -> bool: ...
    def wait(self, timeout: float) -> bool: ...
    def profiles(self) -> Tuple[Dict[str, float], Dict[str, float]]: ...
    def status(self) -> PipelineStatus: ...
    def dead_letters(self, most: int) -> List[Letter]: ...
    def cleanup(self, abandon: bool) -> None: ...

def encoded(object: Any) -> bytes: ...
def decoded(item: bytes) -> Any: ...
def default_profiler_db_folder() -> str: ...
