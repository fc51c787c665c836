"""A rack paid for with debt, taxed, and sold under contract: what is left for its owner.

*Unlevered* is the return of the whole investment, *levered* that of the owner's own money after interest and repayment.
Flows are monthly, in the convention of :mod:`rackecon.economics.finance`. Losses earn a tax credit at once, as for an owner with
other income; interest is deducted in the levered return only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.catalog.cached import by_data
from rackecon.economics.checks import Numeric, check_non_negative, check_positive, check_share
from rackecon.economics.cost_table import value_of
from rackecon.economics.finance import irr, monthly_rate, months_of, npv, price_path
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError, check_known
from rackecon.units import MONTHS_PER_YEAR

DEPRECIATION: Final = ("macrs", "straight", "at_once")
"""Tax depreciation: US five-year property with the half-year convention, a straight line over the horizon, or all in month 1."""
MACRS_YEARS: Final = 6


@dataclass(frozen=True)
class Financing:
    """How an investment is paid for and taxed; all zero is the owner's own money before tax."""

    debt_share: float = 0.0
    """Debt over investment at month 0 [-]."""
    debt_rate_per_year: float = 0.0
    """Effective interest [1/year]."""
    debt_years: float = 1.0
    """Years over which it is repaid in level monthly payments, not beyond the horizon."""
    tax_rate: float = 0.0
    depreciation: str = "macrs"

    def within(self, horizon_years: float) -> Financing:
        """The same terms with the debt repaid by the horizon at the latest.

        Examples
        --------
        >>> Financing(0.5, 0.1, 9.0).within(5.0).debt_years
        5.0
        """
        return replace(self, debt_years=min(self.debt_years, horizon_years))


@dataclass(frozen=True)
class Contract:
    """What of the sales is under contract (take or pay) at the launch price, for how long, and what of it is paid before."""

    share: float = 0.0
    years: float = 0.0
    prepaid_share: float = 0.0


@dataclass(frozen=True)
class FinancedReturn:
    """Returns of one investment; arrays of one shape."""

    unlevered_irr_per_year: FloatArray
    after_tax_irr_per_year: FloatArray
    levered_irr_per_year: FloatArray
    """Of the owner's own money, after tax [1/year]. Each rate is NaN where the flow turns more than once."""
    after_tax_npv_usd: FloatArray
    equity_usd: FloatArray
    debt_service_usd_per_year: FloatArray
    least_dscr: FloatArray
    """Cash flow before debt service (after unlevered tax) over debt service, in the worst year of the debt [-]."""


@by_data(1, "costs")
def macrs_shares() -> tuple[float, ...]:
    """Share of the price written off in each tax year of five-year property [-].

    Source: IRS Publication 946, table A-1, half-year convention (data/costs.csv).

    Examples
    --------
    >>> round(sum(macrs_shares()), 12), macrs_shares()[:2]
    (1.0, (0.2, 0.32))
    """
    return tuple(value_of("tax", f"MACRS five-year property, year {n}") / 100.0 for n in range(1, MACRS_YEARS + 1))


def depreciation_by_month(kind: str, months: int) -> FloatArray:
    """Share of the price written off in each month from 1 [-]; what is left at the end is written off with the sale.

    Source: IRS Publication 946, table A-1 (MACRS, half-year convention); straight line by definition.

    Examples
    --------
    >>> float(depreciation_by_month("straight", 48).sum()), float(depreciation_by_month("macrs", 24).sum())
    (1.0, 0.52)
    """
    check_known("depreciation", kind, DEPRECIATION)
    out = np.zeros(months)
    if kind == "straight":
        out[:] = 1.0 / months
    elif kind == "at_once":
        out[0] = 1.0
    else:
        yearly = np.repeat(np.array(macrs_shares()) / MONTHS_PER_YEAR, int(MONTHS_PER_YEAR))
        kept = min(months, len(yearly))
        out[:kept] = yearly[:kept]
    return out


def level_debt_payment(debt_usd: Numeric, rate_per_year: Numeric, years: Numeric) -> FloatArray:
    """Level monthly payment that repays a debt with interest [USD/month].

    Notes
    -----
    .. math:: a = D \\frac{i}{1 - (1 + i)^{-M}}

    Textbook annuity identity, ``i`` the monthly rate.

    Source: the annuity formula (Brealey, Myers and Allen, Principles of Corporate Finance).

    Examples
    --------
    >>> round(float(level_debt_payment(1200.0, 0.0, 1.0)), 6)
    100.0
    """
    debt = check_non_negative("debt_usd", debt_usd)
    return np.asarray(debt / (present_value_factors(rate_per_year, 0.0, years).cost_years * MONTHS_PER_YEAR))


def revenue_by_month(
    launch_usd_per_year: Numeric, price_decline_per_year: float, months: int, contract: Contract | None = None
) -> FloatArray:
    """Revenue of months 0 to ``months``, shape ``(..., months + 1)`` [USD]; month 0 holds what is paid before.

    Notes
    -----
    .. math:: R_m = \\tfrac{R}{12}\\,[\\,c_m (1 - p) + (1 - c_m)\\,q^{m - 1/2}\\,], \\qquad
        R_0 = \\tfrac{R}{12}\\, p \\sum_m c_m

    ``c_m`` is the contracted share while the contract lasts and 0 after, ``p`` its prepaid share.

    Own accounting of a take-or-pay contract.

    Examples
    --------
    >>> [float(x) for x in revenue_by_month(1200.0, 0.0, 2, Contract(0.5, 1.0, 1.0))]
    [100.0, 50.0, 50.0]
    """
    terms = contract or Contract()
    for name in ("share", "prepaid_share"):
        check_share(f"contract {name}", getattr(terms, name))
    monthly = np.asarray(check_non_negative("launch_usd_per_year", launch_usd_per_year))[..., None] / MONTHS_PER_YEAR
    number = np.arange(1, months + 1)
    held = np.where(number <= round(terms.years * MONTHS_PER_YEAR), terms.share, 0.0)
    paid = held * (1.0 - terms.prepaid_share) + (1.0 - held) * price_path(price_decline_per_year, months)
    first = np.sum(held) * terms.prepaid_share
    return np.asarray(monthly * np.concatenate([[first], paid]))


def financed_return(
    investment_usd: Numeric,
    launch_revenue_usd_per_year: Numeric,
    running_usd_per_year: Numeric,
    residual_usd: Numeric,
    *,
    horizon_years: float,
    rate_per_year: float,
    price_decline_per_year: float = 0.0,
    financing: Financing | None = None,
    contract: Contract | None = None,
) -> FinancedReturn:
    """Return of an investment before tax, after tax, and of the owner's own money.

    Parameters
    ----------
    investment_usd, launch_revenue_usd_per_year, running_usd_per_year, residual_usd : float or array
        Paid at month 0, revenue at launch prices, paid as one goes, resale at the end; one shape [USD].
    horizon_years, rate_per_year, price_decline_per_year : float
        Horizon [years], discount rate of the present value [1/year], fall of prices [share/year].

    Raises
    ------
    InputError
        Debt repaid after the horizon, a share outside 0 to 1, an unknown depreciation.

    Notes
    -----
    .. math:: \\mathrm{CF}_m = R_m - C_m + S_m - t\\,(R_m - C_m - d_m I + S_m - B_m)

    ``d_m`` depreciation, ``S_m`` resale and ``B_m`` book value left, both at the end. Levered: less debt service, plus ``t``
    times the interest. :math:`\\mathrm{DSCR}` = yearly ``CF`` without resale over yearly debt service. Source: textbook project
    finance; own derivation of the monthly form.

    Examples
    --------
    >>> plain = financed_return(100.0, 60.0, 20.0, 0.0, horizon_years=4.0, rate_per_year=0.1)
    >>> bool(plain.unlevered_irr_per_year == plain.levered_irr_per_year)
    True
    """
    terms = financing or Financing()
    share, tax = (float(check_share(n, getattr(terms, n))) for n in ("debt_share", "tax_rate"))
    if share >= 1.0:
        raise InputError(f"debt_share {share:g} leaves no money of the owner's: allowed 0 to below 1")
    check_positive("debt_years", terms.debt_years)
    if share and terms.debt_years > horizon_years:
        raise InputError(f"debt_years {terms.debt_years:g} is beyond horizon_years {horizon_years:g}")
    months = int(months_of(horizon_years))
    invested, running, resale = (
        np.asarray(check_non_negative(name, value, nan_allowed=True), dtype=float)[..., None]
        for name, value in (
            ("investment_usd", investment_usd),
            ("running_usd_per_year", running_usd_per_year),
            ("residual_usd", residual_usd),
        )
    )
    income = revenue_by_month(launch_revenue_usd_per_year, price_decline_per_year, months, contract)
    spent = np.concatenate([[0.0], np.ones(months)]) * running / MONTHS_PER_YEAR
    written = np.concatenate([[0.0], depreciation_by_month(terms.depreciation, months)]) * invested
    last = np.arange(months + 1) == months
    sold = np.where(last, resale, 0.0)
    operating = income - spent
    book = np.where(last, invested - np.sum(written, axis=-1, keepdims=True), 0.0)
    flows = operating + sold - np.where(np.arange(months + 1) == 0, invested, 0.0)
    taxed = flows - tax * (operating - written + sold - book)
    service, interest = _debt(share * invested, terms, months)
    borrowed = np.where(np.arange(months + 1) == 0, share * invested, 0.0)
    levered = taxed + borrowed - service + tax * interest
    return FinancedReturn(
        unlevered_irr_per_year=_one_rate(flows),
        after_tax_irr_per_year=_one_rate(taxed),
        levered_irr_per_year=_one_rate(levered),
        after_tax_npv_usd=npv(monthly_rate(rate_per_year), taxed),
        equity_usd=np.asarray((1.0 - share) * invested[..., 0]),
        debt_service_usd_per_year=np.asarray(service[..., 1] * MONTHS_PER_YEAR),
        least_dscr=_least_dscr(taxed - sold + tax * (sold - book), service, months),
    )


def _debt(debt: FloatArray, terms: Financing, months: int) -> tuple[FloatArray, FloatArray]:
    """Payment and interest of months 0 to ``months``, shape ``(..., months + 1)`` [USD]."""
    count, rate = int(months_of(terms.debt_years)), float(monthly_rate(terms.debt_rate_per_year))
    number = np.arange(months + 1)
    paying = (number > 0) & (number <= count)
    payment = level_debt_payment(debt, terms.debt_rate_per_year, terms.debt_years)
    before = np.maximum(number - 1, 0)
    grown = (1.0 + rate) ** before
    owed = debt * grown - payment * (before if rate < 1e-12 else (grown - 1.0) / rate)
    return np.where(paying, payment, 0.0), np.where(paying, owed * rate, 0.0)


def _one_rate(flows: FloatArray) -> FloatArray:
    """Internal rate [1/year]; NaN where the flow turns more than once, since several rates would do, or none."""
    signs = np.sign(flows)
    # a month of nothing turns nothing: the sign before it goes on
    for month in range(1, signs.shape[-1]):
        signs[..., month] = np.where(signs[..., month] == 0.0, signs[..., month - 1], signs[..., month])
    turns = np.sum(signs[..., 1:] * signs[..., :-1] < 0.0, axis=-1)
    return np.asarray(np.where(turns == 1, irr(flows, periods_per_year=MONTHS_PER_YEAR), np.nan))


def _least_dscr(cash: FloatArray, service: FloatArray, months: int) -> FloatArray:
    starts = np.arange(1, months + 1, int(MONTHS_PER_YEAR))
    made, owed = (np.add.reduceat(x, starts, axis=-1) for x in np.broadcast_arrays(cash, service))
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(owed > 0, made / owed, np.inf)
    least = np.min(cover, axis=-1)
    return np.asarray(np.where(np.isinf(least), np.nan, least))
