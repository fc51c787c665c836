"""Cost of a GPU-hour summed from its parts, and what separates the sum from a published figure.

Each part has its own life: computers a few years, a building some twenty. A resale value is credited the right way
(capital recovery with resale). Pre-tax unless a tax rate is given. A build-up needs a price
for the rack or server with a grade; without one the caller stays on the rental or published basis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_non_negative, check_positive, check_share
from rackecon.economics.finance import TAX_LIFE_YEARS, tax_adjusted_capital_cost
from rackecon.economics.power import hosting_usd_per_kw_year
from rackecon.economics.returns import present_value_factors
from rackecon.errors import InputError
from rackecon.lazy import pd
from rackecon.units import HOURS_PER_YEAR, MONTHS_PER_YEAR


@dataclass(frozen=True)
class BuildUpInputs:
    """What goes into a build-up of one rack (or server). Every field broadcasts.

    Exactly one of ``colocation_usd_per_kw_month`` and ``building_usd_per_kw`` is given: rented space or one's own.
    """

    gpus: Numeric
    hardware_usd: Numeric
    """Rack or server with its hosts, as sold [USD]."""
    provisioned_kw: Numeric
    """All-in power provisioned for it [kW]."""
    drawn_it_kw: Numeric
    """Mean IT power drawn [kW]."""
    electricity_usd_per_kwh: Numeric
    pue: Numeric
    rate_per_year: Numeric
    it_life_years: Numeric
    network_share: Numeric = 0.0
    """Scale-out network as a share of the hardware price [-]; so are storage and installation."""
    storage_share: Numeric = 0.0
    installation_share: Numeric = 0.0
    spares_share: Numeric = 0.0
    """Extra units kept, as a share of all capital [-]."""
    residual_share: Numeric = 0.0
    """Resale at the end of life as a share of the hardware price [-]."""
    colocation_usd_per_kw_month: Numeric | None = None
    building_usd_per_kw: Numeric | None = None
    building_life_years: Numeric = 20.0
    maintenance_share_per_year: Numeric = 0.0
    """Of all IT capital [1/year]."""
    people_usd_per_year: Numeric = 0.0
    insurance_share_per_year: Numeric = 0.0
    """Of all IT capital [1/year]."""
    licence_usd_per_gpu_year: Numeric = 0.0
    """Software [USD/GPU-year]."""
    ramp_months: Numeric = 0.0
    """Months between paying and full service, half of it idle: what then runs and waits unused joins the investment."""
    waiting_rate_per_year: Numeric = 0.0
    """Cost of the capital that waits in these months [1/year]."""
    tax_rate: Numeric = 0.0
    tax_life_years: Numeric = TAX_LIFE_YEARS


@dataclass(frozen=True)
class BuildUp:
    """A build-up: parts [USD/GPU-hour] in the order of a waterfall, and their sum."""

    parts: dict[str, FloatArray]
    usd_per_gpu_hour: FloatArray
    investment_usd_per_gpu: FloatArray
    running_usd_per_gpu_hour: FloatArray
    residual_usd_per_gpu: FloatArray
    hardware_usd_per_gpu: FloatArray
    """Rack or server with its hosts, as sold: what the resale value is of."""

    def waterfall(self) -> pd.DataFrame:
        """Parts as rows: ``part, usd_per_gpu_hour, share, start, end`` (scalars only)."""
        frame = pd.DataFrame({"part": list(self.parts), "usd_per_gpu_hour": [float(v) for v in self.parts.values()]})
        frame["end"] = frame["usd_per_gpu_hour"].cumsum()
        frame["start"] = frame["end"] - frame["usd_per_gpu_hour"]
        frame["share"] = frame["usd_per_gpu_hour"] / float(self.usd_per_gpu_hour)
        return frame[["part", "usd_per_gpu_hour", "share", "start", "end"]]


def build_up(inputs: BuildUpInputs) -> BuildUp:
    """Sum a GPU-hour from its parts.

    Parameters
    ----------
    inputs : BuildUpInputs
        Prices, lives, power and shares of one rack or server.

    Returns
    -------
    BuildUp
        Parts in order: rack, network, storage, installation, spares, resale, colocation or building, electricity,
        maintenance, people, insurance, licence, ramp, tax [USD/GPU-hour]. An hour is any of the year, in service or not.

    Raises
    ------
    InputError
        Neither or both of colocation and building; residual above the price; life 0; negative amounts.

    Notes
    -----
    .. math:: a = \\frac{C - S\\,v^{M}}{A_C}, \\quad A_C = \\tfrac{1}{12}\\sum_{m=1}^{M} v^m

    Capital is paid back monthly, as sales are, so that profit and present value are one statement. The resale credit is
    the second term, shown as its own negative part.

    Life begins with full service. Capacity comes evenly over the ramp of :math:`R` months, so that on average it is paid for
    :math:`w = R / 24` years before it serves: :math:`C` holds :math:`w` years of running cost and
    :math:`(1 + i)^w - 1` of the capital in interest.

    Source: capital recovery as in Short, Packey and Holt (NREL/TP-462-5173, 1995); the list of parts is own.

    Examples
    --------
    >>> result = build_up(BuildUpInputs(gpus=72, hardware_usd=3.3e6, provisioned_kw=134.6, drawn_it_kw=110.0,
    ...     electricity_usd_per_kwh=0.0871, pue=1.25, rate_per_year=0.10, it_life_years=4.0,
    ...     colocation_usd_per_kw_month=188.7))
    >>> float(result.usd_per_gpu_hour)
    2.22901
    """
    given, rate = check_space(inputs), inputs.rate_per_year
    gpu_hours = check_positive("gpus", inputs.gpus) * HOURS_PER_YEAR
    bought, capital = _bought(inputs)
    resale = bought["rack or server"] * check_share("residual_share", inputs.residual_share)
    worth = present_value_factors(rate, 0.0, check_positive("it_life_years", inputs.it_life_years))
    space, building = _space(inputs, check_positive("provisioned_kw", inputs.provisioned_kw))
    upkeep = _upkeep(inputs, capital)
    running = np.asarray(sum(upkeep.values(), space if given == "colocation" else np.zeros(())))
    idle_years = 0.5 * check_non_negative("ramp_months", inputs.ramp_months) / MONTHS_PER_YEAR
    waiting = check_non_negative("waiting_rate_per_year", inputs.waiting_rate_per_year)
    ramp = running * idle_years + capital * (np.power(1.0 + waiting, idle_years) - 1.0)
    capital_parts = {**bought, "ramp-up": ramp}
    invested = np.asarray(sum(capital_parts.values(), np.zeros(())))
    charge = (invested - resale * worth.terminal) / worth.cost_years
    parts = {
        **{name: amount / worth.cost_years for name, amount in capital_parts.items()},
        "resale credit": -resale * worth.terminal / worth.cost_years,
        given: space,
        **upkeep,
        "tax": tax_adjusted_capital_cost(charge, inputs.tax_rate, rate, inputs.tax_life_years) - charge,
    }
    total = np.asarray(sum(parts.values(), np.zeros(())))
    hourly = {name: np.asarray(value / gpu_hours) for name, value in parts.items() if np.any(np.asarray(value) != 0)}
    count = np.asarray(inputs.gpus, dtype=float)
    return BuildUp(
        parts=hourly,
        usd_per_gpu_hour=np.asarray(total / gpu_hours),
        investment_usd_per_gpu=np.asarray((invested + building) / count),
        running_usd_per_gpu_hour=np.asarray(running / gpu_hours),
        residual_usd_per_gpu=np.asarray(resale / count),
        hardware_usd_per_gpu=np.asarray(bought["rack or server"] / count),
    )


def _bought(inputs: BuildUpInputs) -> tuple[dict[str, FloatArray], FloatArray]:
    """Hardware, what is bought beside it and its spares, and their sum [USD]."""
    hardware = check_non_negative("hardware_usd", inputs.hardware_usd)
    beside = {
        name: hardware * check_non_negative(f"{name}_share", getattr(inputs, f"{name}_share"))
        for name in ("network", "storage", "installation")
    }
    in_use = hardware + sum(beside.values(), np.zeros(()))
    spares = in_use * check_non_negative("spares_share", inputs.spares_share)
    return {"rack or server": hardware, **beside, "spares": spares}, in_use + spares


def _upkeep(inputs: BuildUpInputs, capital: FloatArray) -> dict[str, FloatArray]:
    """What running costs beside the room [USD/year]."""
    pue = np.asarray(inputs.pue, dtype=float)
    if np.any(pue < 1.0):
        raise InputError("pue must be 1 or more")
    drawn = check_non_negative("drawn_it_kw", inputs.drawn_it_kw) * pue
    price = check_non_negative("electricity_usd_per_kwh", inputs.electricity_usd_per_kwh)
    licence = check_non_negative("licence_usd_per_gpu_year", inputs.licence_usd_per_gpu_year)
    return {
        "electricity": drawn * price * HOURS_PER_YEAR,
        "maintenance": capital * check_non_negative("maintenance_share_per_year", inputs.maintenance_share_per_year),
        "people": check_non_negative("people_usd_per_year", inputs.people_usd_per_year),
        "insurance": capital * check_non_negative("insurance_share_per_year", inputs.insurance_share_per_year),
        "software licence": licence * inputs.gpus,
    }


def _space(inputs: BuildUpInputs, provisioned_kw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Yearly cost of the space, and what its building cost where it is one's own [USD]."""
    if inputs.colocation_usd_per_kw_month is not None:
        fee = check_non_negative("colocation_usd_per_kw_month", inputs.colocation_usd_per_kw_month)
        return provisioned_kw * fee * MONTHS_PER_YEAR, np.zeros(())
    price = np.asarray(inputs.building_usd_per_kw, dtype=float)
    yearly = hosting_usd_per_kw_year(price, inputs.rate_per_year, inputs.building_life_years)
    return provisioned_kw * yearly, provisioned_kw * price


def check_space(inputs: BuildUpInputs) -> str:
    """``"colocation"`` or ``"building"``, whichever one was given; none or both is refused."""
    rented, own = inputs.colocation_usd_per_kw_month is not None, inputs.building_usd_per_kw is not None
    if rented == own:
        raise InputError("give exactly one of colocation_usd_per_kw_month and building_usd_per_kw")
    return "colocation" if rented else "building"


def reconcile(
    inputs: BuildUpInputs, published_usd_per_gpu_hour: float, steps: dict[str, dict[str, Numeric | None]]
) -> pd.DataFrame:
    """Walk from a build-up to a published figure, one changed assumption after another.

    Parameters
    ----------
    inputs : BuildUpInputs
        The build-up to start from (scalars).
    published_usd_per_gpu_hour : float
        Where to arrive [USD/GPU-hour].
    steps : dict
        Name of a step to the fields it changes, applied in order and kept.

    Returns
    -------
    pandas.DataFrame
        ``step, change_usd_per_gpu_hour, usd_per_gpu_hour``: the build-up, each step, what stays unexplained, the
        published figure. Changes sum to published less build-up.
    """
    level = float(build_up(inputs).usd_per_gpu_hour)
    rows: list[tuple[str, float, float]] = [("build-up", 0.0, level)]
    for name, fields in steps.items():
        inputs = replace(inputs, **fields)  # type: ignore[arg-type]
        after = float(build_up(inputs).usd_per_gpu_hour)
        rows.append((name, after - level, after))
        level = after
    rows.append(("not explained", published_usd_per_gpu_hour - level, published_usd_per_gpu_hour))
    rows.append(("published", 0.0, published_usd_per_gpu_hour))
    return pd.DataFrame(rows, columns=["step", "change_usd_per_gpu_hour", "usd_per_gpu_hour"])
