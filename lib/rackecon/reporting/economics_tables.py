"""Downloads and source lists of the economics pages."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rackecon.reporting.display import Html
from rackecon.reporting.tables import table
from rackecon.reporting.text import tidy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_link", "sources_table"]


def csv_link(frame: pd.DataFrame, file_name: str, words: str) -> Html:
    """A link that saves a table as CSV, the data inside the page: works offline and in mail.

    Parameters
    ----------
    frame : pandas.DataFrame
        Written with five significant digits.
    file_name, words : str
        Name of the file; text of the link.
    """
    text = tidy(frame).to_csv(index=False, lineterminator="\n")
    data = base64.b64encode(text.encode("utf-8")).decode("ascii")
    name, shown = html.escape(file_name, quote=True), html.escape(words)
    link = f'<a download="{name}" href="data:text/csv;base64,{data}">{shown}</a>'
    return Html(f'<p class="download">{link}</p>', words)


def sources_table(ids: Iterable[str], caption: str) -> Html:
    """Title, publisher, date and address of the sources behind a page.

    Parameters
    ----------
    ids : iterable of str
        Source ids; repeated and unknown ones are dropped.
    caption : str
    """
    from rackecon import catalog

    known = catalog.table("sources")
    wanted = dict.fromkeys(str(item) for item in ids)
    shown = known[known["source_id"].isin(wanted)].sort_values("source_id", kind="stable")
    return table(shown[["title", "publisher", "date", "address"]].fillna(""), caption)
