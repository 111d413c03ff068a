"""The command line of the checks in this folder that can also show that each of their rules can fail."""

import sys


def main_of(doc, self_test, check, min_arguments, max_arguments=None):
    """The exit code: 0 if there is no fault, 1 if there is one, 2 for arguments that do not fit (prints `doc`).

    With the only argument `--self-test` it calls `self_test()`, which returns what is wrong with the check or None;
    else `check(*arguments)`, which prints faults and returns True if there are any.
    """
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        fault = self_test()
        print(fault or "every rule can fail")
        return 1 if fault else 0
    if len(arguments) < min_arguments or (max_arguments is not None and len(arguments) > max_arguments):
        print(doc)
        return 2
    return 1 if check(*arguments) else 0
