"""What page 10 says of debt, tax and contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rackecon.catalog.assumption_table import allowed_values
from rackecon.lazy import pd
from rackecon.pages.economics_text import rate_text
from rackecon.pages.sentences import say

if TYPE_CHECKING:
    from rackecon.economics.financing import Contract, Financing

PAGE: Final = "10_revenue_and_roi"
COLUMNS: Final = (
    "platform",
    "unlevered_irr_per_year",
    "after_tax_irr_per_year",
    "levered_irr_per_year",
    "after_tax_npv_usd",
    "equity_usd",
    "least_dscr",
)
HEADERS: Final = {
    "unlevered_irr_per_year": "unlevered, before tax",
    "after_tax_irr_per_year": "unlevered, after tax",
    "levered_irr_per_year": "levered, after tax",
    "after_tax_npv_usd": "present value after tax",
    "equity_usd": "own money",
    "least_dscr": "cover, worst year",
}


def owner_tax_rate(tax_rate: float | None) -> float:
    """Tax on profit in the financed return: the one given, the base case's statutory rate where none is [-].

    Examples
    --------
    >>> owner_tax_rate(None), owner_tax_rate(0.0)
    (0.21, 0.0)
    """
    return float(allowed_values()["owner_tax_rate"].default) if tax_rate is None else tax_rate


def financing_sentence(returned: pd.DataFrame, accelerator: str, financing: Financing, contract: Contract) -> str:
    """Return of one platform unlevered, taxed and levered, and whose debt cannot be served.

    Parameters
    ----------
    returned : pandas.DataFrame
        From :func:`rackecon.answer.return_views.financed_returns`.
    accelerator : str
        The platform told of.
    financing, contract
        The terms behind it.
    """
    mine = returned[returned["accelerator"] == accelerator]
    row: Any = mine.iloc[0] if len(mine) else None
    blank = dict.fromkeys(("platform", "unlevered", "taxed", "levered"), "") | {"equity": 0.0, "cover": 0.0}
    told = (
        blank
        if row is None
        else {
            "platform": str(row["platform"]),
            "unlevered": rate_text(row["unlevered_irr_per_year"]),
            "taxed": rate_text(row["after_tax_irr_per_year"]),
            "levered": rate_text(row["levered_irr_per_year"]),
            "equity": float(row["equity_usd"]),
            "cover": float(np.nan_to_num(row["least_dscr"])),
        }
    )
    return say(
        PAGE,
        "financing",
        known=row is not None,
        tax=financing.tax_rate,
        debt=financing.debt_share,
        interest=financing.debt_rate_per_year,
        years=financing.debt_years,
        uncovered=[str(name) for name in returned.loc[returned["least_dscr"] < 1.0, "platform"]],
        contract=contract.share,
        contract_years=contract.years,
        prepaid=contract.prepaid_share,
        **told,
    )
