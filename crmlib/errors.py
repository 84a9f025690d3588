"""Every error a user can meet.

CrmError                     exit code 1: a defect of the workbench
├── ContractError            a table would break its contract
├── EngineError              a named SQL step failed
├── InputError               2: the input or the params are wrong
│   └── ParamsError          2: a params file; holds every problem found
├── GateError                3: a gate stopped the run
│   └── PersonalDataError    3: a page, notebook or manifest holds personal data
├── ConflictError            4: another run holds the lock, or was published first
└── NothingToDo              0: a room's inputs are absent; its sentence is the page

Messages are plain sentences that name the place (file, row, key) and the remedy, and never quote
a value of a customer's data.
"""

from __future__ import annotations


class CrmError(Exception):
    """A problem whose message may be shown to a user as it is."""

    exit_code = 1


class ContractError(CrmError):
    """A table would break its contract."""


class EngineError(CrmError):
    """A named SQL step failed; the engine's own words are its cause and may quote values."""


class InputError(CrmError):
    """The input or the params are wrong; the message names the place and the remedy."""

    exit_code = 2


class ParamsError(InputError):
    """A params file is wrong.

    Parameters
    ----------
    problems : list of str
        One sentence per problem, each naming file, line and key.
    """

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class GateError(CrmError):
    """A gate stopped the run before it was published."""

    exit_code = 3


class PersonalDataError(GateError):
    """A file that may be forwarded holds personal data; the message says where, never what."""


class ConflictError(CrmError):
    """Another run holds the lock, or was published first."""

    exit_code = 4


class NothingToDo(CrmError):
    """A room's inputs are absent; the message is the sentence its page shows."""

    exit_code = 0


def find_error(name: str) -> type[CrmError] | None:
    """Find the class of this tree that is called `name`; None if there is none."""
    pending: list[type[CrmError]] = [CrmError]
    while pending:
        candidate = pending.pop()
        if candidate.__name__ == name:
            return candidate
        pending.extend(candidate.__subclasses__())
    return None
