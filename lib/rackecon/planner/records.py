"""A plan file: the site's limits, its traffic, and what may be bought, checked before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rackecon import catalog
from rackecon.catalog.record_faults import record_fault
from rackecon.catalog.text_file import read_text, yaml_of
from rackecon.errors import InputError, check_known
from rackecon.load.demand import demand_names
from rackecon.units import HOURS_PER_DAY

LARGEST_BYTES: Final = 2**20
SHARE_SLACK: Final = 1e-6
MOST_BLOCKS: Final = 144
MOST_YEARS: Final = 20
MOST_STAGES: Final = 10


def _number(value: Any) -> Any:
    """Numbers such as 1e12, which YAML 1.1 reads as text without a point and a sign."""
    if isinstance(value, bool):
        raise ValueError("is not a number")
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"'{value[:40]}' is not a number") from None
    return value


def _or_word(word: str) -> Any:
    def read(value: Any) -> Any:
        if value == word:
            return word
        try:
            number = float(_number(value))
        except (ValueError, TypeError):
            number = math.nan
        if not 0 < number < math.inf:
            raise ValueError(f"'{str(value)[:40]}' is neither a number above 0 nor '{word}'")
        return number

    return BeforeValidator(read)


Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, strict=True)]
Gain = Annotated[float, BeforeValidator(_number), Field(ge=-0.9, le=4)]
Fall = Annotated[float, BeforeValidator(_number), Field(ge=-1, lt=1)]
YearsOn = Annotated[int, Field(ge=0, le=MOST_YEARS, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Part):
    """What the site has; None does not bind."""

    power_mw: Positive | None = None
    """Provisioned IT power [MW]."""
    capital_usd: Positive | None = None
    """For racks bought [USD]."""
    floor_positions: Positive | None = None
    """Rack positions [racks]."""
    supply: dict[str, Count] = Field(default_factory=dict)
    """Most racks that can be bought, by platform."""


class Tier(_Part):
    """A promise of speed and what it sells for."""

    tok_s_per_user: Positive
    price_multiple: Annotated[float | str, _or_word("published")] = 1.0
    """Of the price card; ``published``: the premium of published fast tiers at this speed."""
    ttft_ms: Positive | None = None
    """Time to first token; the workload's own where none is given [ms]."""


class Block(_Part):
    """A part of the day and the share of the day's tokens that falls into it."""

    name: str = Field(min_length=1, max_length=40)
    hours: Positive
    share: Share


class Demand(_Part):
    """Tokens of one workload and model."""

    workload: str
    model: str
    tokens_per_day: Positive | None = None
    """Input (cached counted) and output; None takes all that is served."""
    tiers: dict[str, Share] = Field(min_length=1)
    """Share of the tokens by tier."""
    must_serve: Share | None = None
    """Share that has to be served; none by default, all of it where cost is the objective."""


class Replacement(_Part):
    """Racks on hand and what could stand in their place; sales are of the plan's first item of demand in its first tier."""

    platform: str
    age_years: YearsOn
    successors: dict[str, YearsOn] = Field(default_factory=dict)
    """Year from now in which each can first be bought."""
    years: Annotated[int, Field(ge=1, le=MOST_YEARS, strict=True)] = 8
    software_gain_per_year: Gain = 0.0
    """Yearly rise of every platform's throughput."""
    rack_price_fall_per_year: Fall = 0.0
    let: bool = True
    """Whether racks can be let at the published three-year rent."""


class Stages(_Part):
    """A plan by years: limits hold in each, capital and supply are what a year brings."""

    years: Annotated[int, Field(ge=1, le=MOST_STAGES, strict=True)] = 6
    available: dict[str, YearsOn] = Field(default_factory=dict)
    """Year from now in which a platform can first be bought; now where nothing is said."""
    age_years: YearsOn = 0
    """Of the racks on hand."""
    demand_growth_per_year: Annotated[float, BeforeValidator(_number), Field(ge=-0.9, le=9)] = 0.0
    software_gain_per_year: Gain = 0.0
    """Yearly rise of every platform's throughput."""
    rack_price_fall_per_year: Fall = 0.0


class Plan(_Part):
    """A plan as asked for."""

    name: str = Field(default="plan", min_length=1, max_length=80)
    objective: Literal["profit", "npv", "cost"] = "profit"
    platforms: tuple[str, ...] = Field(min_length=1)
    limits: Limits = Limits()
    racks_on_hand: dict[str, Count] = Field(default_factory=dict)
    tiers: dict[str, Tier] = Field(min_length=1)
    demand_shape: str | None = None
    """Public trace whose mean day the demand follows."""
    blocks: Annotated[int, Field(ge=1, le=MOST_BLOCKS, strict=True)] = 24
    """Blocks that the mean day is cut into."""
    day: tuple[Block, ...] = ()
    """Blocks given outright, in place of a shape; neither: demand is even."""
    demand: tuple[Demand, ...] = Field(min_length=1)
    load_share: Annotated[float | str, _or_word("derived")] = "derived"
    """Share of a deployment's closed-loop rate sold at most, over all hours; derived: at which open arrivals keep the limits,
    less the hours out of service."""
    prices: dict[str, dict[str, Amount]] = Field(default_factory=dict)
    """Price cards by model: fresh_input, cached_input, output [USD per million tokens]."""
    assumptions: dict[str, Any] = Field(default_factory=dict)
    replacement: Replacement | None = None
    stages: Stages | None = None
    gap: Annotated[float, BeforeValidator(_number), Field(ge=0, le=0.5)] = 0.001
    time_limit_s: Positive = 120.0

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        _check(self)
        return self

    @property
    def every_platform(self) -> tuple[str, ...]:
        """Platforms that may be bought, then those on hand alone."""
        return tuple(dict.fromkeys((*self.platforms, *self.racks_on_hand)))


def _check(plan: Plan) -> None:
    """Names known and shares that make a whole."""
    for name in plan.every_platform:
        if not catalog.accelerator(name).servable:
            raise InputError(f"platforms: {name} is not served by the model")
    if len(set(plan.platforms)) < len(plan.platforms):
        twice = next(name for name in plan.platforms if plan.platforms.count(name) > 1)
        raise InputError(f"platforms: {twice} is named twice")
    _known(plan.limits.supply, plan.platforms, "limits.supply", "platform of the plan")
    for number, item in enumerate(plan.demand, start=1):
        catalog.scenario(item.workload)
        catalog.model(item.model)
        _known(item.tiers, plan.tiers, f"demand {number}", "tier")
        if abs(sum(item.tiers.values()) - 1.0) > SHARE_SLACK:
            raise InputError(f"demand {number}: shares of its tiers sum to {sum(item.tiers.values()):g}, not to 1")
        if item.tokens_per_day is None and (item.must_serve or plan.objective == "cost"):
            raise InputError(f"demand {number}: tokens_per_day is needed where demand must be served")
    _known(plan.prices, [item.model for item in plan.demand], "prices", "model of the demand")
    for name, card in plan.prices.items():
        _known(card, ("fresh_input", "cached_input", "output"), f"prices.{name}", "price")
        if len(card) < 3:
            raise InputError(f"prices.{name}: needs fresh_input, cached_input and output")
    if plan.demand_shape is not None:
        _known([plan.demand_shape], demand_names(), "demand_shape", "demand trace")
        if plan.day:
            raise InputError("day and demand_shape are two answers to one question: give one")
    if plan.day:
        hours, share = sum(b.hours for b in plan.day), sum(b.share for b in plan.day)
        if abs(hours - HOURS_PER_DAY) > 1e-6 or abs(share - 1.0) > SHARE_SLACK:
            raise InputError(f"day: blocks have {hours:g} hours and {share:g} of the tokens, not 24 and 1")
    if plan.replacement is not None:
        for name in (plan.replacement.platform, *plan.replacement.successors):
            if not catalog.accelerator(name).servable:
                raise InputError(f"replacement: {name} is not served by the model")
    if plan.stages is not None:
        _known(plan.stages.available, plan.platforms, "stages.available", "platform of the plan")
    if isinstance(plan.load_share, float | int) and plan.load_share > 1:
        raise InputError(f"load_share {plan.load_share:g} is out of range: needs 0 to 1, or derived")
    if "utilisation" in plan.assumptions:
        raise InputError("assumptions.utilisation: what is sold follows from the plan's demand; use load_share")


def _known(given: Iterable[str], allowed: Iterable[str], where: str, kind: str) -> None:
    names = list(allowed)
    for name in given:
        check_known(kind, name, names, where)


def plan_of(raw: Mapping[str, Any]) -> Plan:
    """A checked plan of what a mapping says.

    Raises
    ------
    InputError
        Unknown name, wrong type, value out of range: one line that says where.

    Examples
    --------
    >>> one = {"platforms": ["h200-sxm"], "limits": {"power_mw": 1}, "tiers": {"normal": {"tok_s_per_user": 20}},
    ...     "demand": [{"workload": "chat", "model": "gpt-oss-120b", "tiers": {"normal": 1}}]}
    >>> plan_of(one).objective
    'profit'
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"a plan holds {', '.join(Plan.model_fields)}")
    try:
        return Plan.model_validate(dict(raw))
    except ValidationError as error:
        raise record_fault(error, Plan, _PARTS, "plan") from None


_PARTS: Final[dict[str, Any]] = {
    "limits": Limits,
    "tiers": Tier,
    "demand": Demand,
    "day": Block,
    "replacement": Replacement,
    "stages": Stages,
}


def read_plan(path: Path) -> Plan:
    """The plan of a YAML file.

    Raises
    ------
    InputError
        Missing, too large, not UTF-8, not YAML, or no plan: one line.
    """
    raw = yaml_of(path.name, read_text(path, largest=LARGEST_BYTES))
    try:
        return plan_of(raw)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
