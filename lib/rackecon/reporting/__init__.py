"""Charts, tables, words and pages; what a notebook imports.

A notebook starts with its parameters cell, then::

    from rackecon.reporting import answer, check_parameters, note, provenance, table
    from rackecon.reporting import charts, text
    check_parameters("03_context_length", globals())

``answer(*sentences)`` shows the computed answer, ``note(text)`` a computed paragraph, ``table(frame, caption)`` a table,
``ranking_table(...)`` platforms with interval bars, ``charts.<builder>`` a chart, ``provenance(name, globals())`` the last cell.
"""

from rackecon.reporting.display import Html, answer, enable, note
from rackecon.reporting.parameters import check_parameters
from rackecon.reporting.provenance import provenance
from rackecon.reporting.tables import ranking_table, table

__all__ = ["Html", "answer", "check_parameters", "enable", "note", "provenance", "ranking_table", "table"]
