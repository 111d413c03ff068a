"""The logger of the package."""

import logging


def _make_logger() -> logging.Logger:
    made = logging.getLogger("PyStream")
    if not made.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[%(name)s] %(asctime)s - %(levelname)-8s: %(message)s"))
        made.addHandler(handler)
        made.setLevel(logging.INFO)
    return made


LOGGER = _make_logger()


def log(level: int, text: str) -> None:
    """What the library has to say: workers that died, items that were given up."""
    LOGGER.log(level, "%s", text)
