"""One replica in SimPy, a general simulator of others: continuous batching told as its process, step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

import numpy as np
import simpy
from numpy.typing import NDArray

from rackecon.load.requests import Requests


class Line:
    """Prompts one at a time, else a decode step of all running: the rules of rackecon.load.replay for one replica."""

    def __init__(
        self,
        sent: Requests,
        prefill_ms: tuple[float, float],
        step_ms: tuple[float, float, float],
        slots: int,
    ) -> None:
        self.sent, self.prefill, self.step, self.slots = sent, prefill_ms, step_ms, slots
        self.env = simpy.Environment()
        self.waiting: deque[int] = deque()
        self.woken = self.env.event()
        self.first, self.end = np.zeros(len(sent)), np.zeros(len(sent))
        self.env.process(self.arrivals())
        self.env.process(self.engine())

    def arrivals(self) -> Generator[simpy.Event]:
        """Each request at its time."""
        for i, at in enumerate(self.sent.arrival_s):
            yield self.env.timeout(max(float(at) - self.env.now, 0.0))
            self.waiting.append(i)
            if not self.woken.triggered:
                self.woken.succeed()

    def engine(self) -> Generator[simpy.Event]:
        """The replica until every request has ended."""
        fed, asked = self.sent.input_tokens.tolist(), self.sent.output_tokens.tolist()
        left: dict[int, int] = {}
        held = ended = 0
        while ended < len(fed):
            if not self.waiting and not left:
                self.woken = self.env.event()
                yield self.woken
            done = []
            if self.waiting and len(left) < self.slots:
                one = self.waiting.popleft()
                yield self.env.timeout((self.prefill[0] + self.prefill[1] * fed[one]) / 1e3)
                self.first[one], left[one] = self.env.now, asked[one] - 1
                held += fed[one] + 1
                done = [one] if not left[one] else []
            else:
                yield self.env.timeout((self.step[0] + self.step[1] * len(left) + self.step[2] * held) / 1e3)
                held += len(left)
                for one in left:
                    left[one] -= 1
                done = [one for one, more in left.items() if not more]
            for one in done:
                del left[one]
                self.end[one] = self.env.now
                held -= fed[one] + asked[one]
                ended += 1

    def run(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """First token and end of every request [s]."""
        self.env.run()
        return self.first, self.end
