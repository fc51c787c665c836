"""Agents as a case of any page: live sessions, and what a session and a task cost beside a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rackecon import catalog
from rackecon.lazy import pd
from rackecon.load.agentic import agentic_front, agentic_sessions
from rackecon.load.platforms import unit_gpus
from rackecon.pages.sentences import say
from rackecon.units import SECONDS_PER_HOUR

UNITS: Final = {
    "sessions_per_gpu": "sessions/GPU",
    "sessions_per_unit": "sessions",
    "cache_hit": "-",
    "total_tok_s_per_gpu": "tok/s/GPU",
    "usd_per_mtok": "USD/Mtok",
    "usd_per_session_hour": "USD/session-hour",
    "usd_per_task": "USD/task",
}
"""What is published of agents on a platform, and its unit."""
COLUMNS: Final = ["accelerator", "platform", "unit_gpus", *UNITS]
SPEED: Final = 50.0
"""Tokens a second that nine in ten requests of an agent keep, where a page asks for no other."""


def agent_table(usd_per_gpu_hour: Mapping[str, float], model: str, tok_s_per_user: float) -> pd.DataFrame:
    """Sessions, rates and costs of agents on each platform, fully used, the most productive first.

    A task is a recorded session from end to end.
    """
    requests, rows = agentic_sessions().turns, []
    for name, cost in usd_per_gpu_hour.items():
        front = agentic_front(name, model)
        rate = front.rate_at(tok_s_per_user)
        if not np.isfinite(rate):
            continue
        alive, turns = front.sessions_per_gpu_at(tok_s_per_user), front.turns_at(tok_s_per_user)
        hit = float(np.interp(tok_s_per_user, front.tok_s_per_user, front.cache_hit))
        unit = unit_gpus(name)
        costs = cost / (rate * SECONDS_PER_HOUR / 1e6), cost / alive, cost / (turns * SECONDS_PER_HOUR) * requests
        rows.append((name, catalog.accelerator(name).label, unit, alive, alive * unit, hit, rate, *costs))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("total_tok_s_per_gpu", ascending=False, ignore_index=True)


def told(agents: pd.DataFrame) -> dict[str, Any]:
    """What sentences quote of the most productive platform."""
    best = agents.iloc[0].to_dict() if len(agents) else dict.fromkeys(COLUMNS, 0.0)
    return {
        "agents": len(agents),
        "agent_platform": str(best["platform"]),
        "agent_sessions": float(best["sessions_per_unit"]),
        "agent_unit": int(best["unit_gpus"]),
        "agent_hit": float(best["cache_hit"]),
        "agent_task": float(best["usd_per_task"]),
        "agent_hour": float(best["usd_per_session_hour"]),
        "agent_mtok": float(best["usd_per_mtok"]),
        "agent_context": float(agentic_sessions().input_tokens.mean()),
        "requests": agentic_sessions().turns,
    }


def agent_words(accelerators: Sequence[str], model: str, scenario: str, short: bool = False) -> str:
    """Agents in a few words for a page about something else, at the cost of an hour that the page's workload has."""
    from rackecon.appraisal.evaluate import evaluate

    money = evaluate(list(accelerators), [model], [scenario], utilisation=1.0, intervals=False)
    hours = money.dropna(subset=["cost_usd_per_gpu_hour"]).set_index("accelerator")["cost_usd_per_gpu_hour"]
    found = told(agent_table({str(name): float(cost) for name, cost in hours.items()}, model, SPEED))
    found |= {"model_name": catalog.model(model).name, "speed": SPEED}
    return say("15_load", "agents_line", **found) if short else say("15_load", "agents_short", **found)
