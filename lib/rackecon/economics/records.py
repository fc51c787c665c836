"""What a cost of a GPU-hour is told with, whichever table or sum it comes from."""

from __future__ import annotations

from dataclasses import dataclass

UNSOLD = {
    "ownership": "owner: cost runs whether or not an hour is sold",
    "take_or_pay": "tenant: rent is due for every hour of the term",
    "on_demand": "landlord: only hours used are paid",
}


@dataclass(frozen=True)
class CostRecord:
    """Cost of one GPU for one hour, with everything needed to read it."""

    accelerator: str
    basis: str
    tier: str
    vintage: str
    usd_per_gpu_hour: float
    low: float
    high: float
    includes: str
    unsold_hours: str
    source_id: str
    grade: str

    def label(self) -> str:
        """Short text for a table or chart caption."""
        own = ", own row" if self.grade.startswith("own row") else ""
        if self.basis == "build_up":
            return f"build-up cost{own}"
        if self.basis == "given":
            return "your own cost"
        return f"{self.basis}, {self.tier}, vintage {self.vintage}{own}"
