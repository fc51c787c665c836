"""From one GPU to a physical rack, a provisioned megawatt, an equal-power rack position, an invested dollar.

Physical racks hold 32 to 128 GPUs and draw 40 to 210 kW, so "per rack" alone ranks rack sizes as much as chips.
An *equal-power rack position* is the power one NVL72 rack of the GB200 generation is sold with: every platform fills it
with as many GPUs (a fraction of a rack, or more than one) as that power carries. The power of a GPU is one figure behind
all three (:func:`rackecon.economics.power_table.all_in_kw`), so that a position and a megawatt rank alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rackecon import catalog
from rackecon.arrays import FloatArray
from rackecon.economics.checks import Numeric, check_positive


@dataclass(frozen=True)
class RackUnits:
    """GPUs in each unit [GPU]; arrays of one broadcast shape."""

    gpus_per_rack: FloatArray
    gpus_per_mw: FloatArray
    gpus_per_position: FloatArray
    rack_kw: FloatArray


def rack_units(gpus_per_rack: Numeric, kw_per_gpu: Numeric, *, position_kw: Numeric | None = None) -> RackUnits:
    """GPUs per physical rack, per provisioned megawatt and per equal-power position, of one power per GPU.

    Parameters
    ----------
    gpus_per_rack : float or array
        [GPU].
    kw_per_gpu : float or array
        Provisioned power per GPU, of a named vintage [kW/GPU].
    position_kw : float or array, optional
        Power of a position [kW]; that of a GB200 NVL72 rack as sold (data/base_case.csv) by default.

    Raises
    ------
    InputError
        Power or count of 0 or less.

    Notes
    -----
    .. math:: n_{MW} = 1000 / k, \\qquad n_{position} = P_{position} / k, \\qquad P_{rack} = k\\, n_{rack}

    By definition.

    Examples
    --------
    >>> units = rack_units(32, 1.37, position_kw=132.0)
    >>> float(units.gpus_per_mw), float(units.gpus_per_position), float(units.rack_kw)
    (729.927, 96.350, 43.84)
    """
    count = check_positive("gpus_per_rack", gpus_per_rack, nan_allowed=True)
    power = check_positive("kw_per_gpu", kw_per_gpu, nan_allowed=True)
    position = check_positive(
        "position_kw", catalog.base_case().rack_position_kw if position_kw is None else position_kw
    )
    return RackUnits(
        gpus_per_rack=count,
        gpus_per_mw=np.asarray(1000.0 / power),
        gpus_per_position=np.asarray(position / power),
        rack_kw=np.asarray(count * power),
    )
