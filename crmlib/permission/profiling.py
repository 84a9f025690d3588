"""Who may be profiled: nothing is computed about those who object to it."""

from __future__ import annotations

from crmlib.engine import Engine

#: The latest word on profiling counts, whatever list or age overrules it for contacts.
OBJECTORS = """
    SELECT DISTINCT customer_id
    FROM permissions
    WHERE purpose = 'profiling' AND answer IN ('withdrawn', 'objected')
"""


def leave_out_objectors(engine: Engine) -> int:
    """Let a room see nobody's purchases who objects to profiling.

    Parameters
    ----------
    engine : Engine
        Holds `identities` and `permissions`.

    Returns
    -------
    int
        How many customers object. From now on `identities` leaves them out, so that their tickets are anonymous;
        ``profiling_objectors`` (customer_id) tells who they are, and ``every_identity`` is the whole.
    """
    engine.view("profiling_objectors", OBJECTORS)
    if not engine.has("every_identity"):
        engine.execute("ALTER VIEW identities RENAME TO every_identity")
    engine.view("identities", "SELECT * FROM every_identity ANTI JOIN profiling_objectors USING (customer_id)")
    return int(engine.row("SELECT count(*) AS n FROM profiling_objectors")["n"])
