"""Stages of pipeline.json: functions that take an item and return the next one."""


def longest_word(line):
    """The longest word of a line; of several the first."""
    return max(line.split(), key=len, default="")
