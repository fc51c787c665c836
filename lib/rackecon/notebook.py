"""Charts, tables, words and pages; what a notebook imports.

A notebook starts with its parameters cell, then::

    from rackecon.notebook import answer, check_parameters, note, publish, say, table
    from rackecon.press import provenance
    from rackecon.figures import charts
    from rackecon import words as text
    check_parameters("03_context_length", globals())

``answer(*sentences, case=case_line(model, scenario))`` shows the computed answer under its case, ``note(text)`` a computed paragraph, ``table(frame, caption)`` a table,
``ranking_table(...)`` platforms with interval bars, ``charts.<builder>`` a chart, ``provenance(name, globals())`` the last cell.
``publish(name, figures)`` writes the page's numbers beside it, in ``reports/results/<name>.csv``; ``say(name, block, **values)``
fills a sentence of the page's template in ``lib/rackecon/pages/words/``.
"""

from rackecon.appraisal.parameters import check_parameters
from rackecon.figures.display import LEAVING, Html, answer, enable, note
from rackecon.figures.results import Figure, column_figures, field_figures, publish
from rackecon.figures.tables import table
from rackecon.pages.page_facts import case_line
from rackecon.pages.rankings import ranking_table
from rackecon.pages.sentences import say, told
from rackecon.pages.unmeasured import in_table, on_chart, once
from rackecon.press.kept_results import share_with_report
from rackecon.press.provenance import provenance

LEAVING.update(chart=on_chart, table=in_table, words=once)
share_with_report()

__all__ = [
    "Figure",
    "Html",
    "answer",
    "case_line",
    "check_parameters",
    "column_figures",
    "enable",
    "field_figures",
    "note",
    "provenance",
    "publish",
    "ranking_table",
    "say",
    "table",
    "told",
]
