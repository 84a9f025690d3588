"""The shared package of the analytic CRM workbench: every calculation of its notebooks lives here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmlib.room import Room as Room
    from crmlib.room import open_run as open_run

__version__ = "0.1.0"
__all__ = ["Room", "__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """Import what a notebook needs when it asks for it, so that importing the package costs nothing."""
    if name in ("Room", "open_run"):
        return getattr(import_module("crmlib.room"), name)
    raise AttributeError(f"module 'crmlib' has no attribute '{name}'")
