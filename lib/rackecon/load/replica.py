"""One replica of a replay: continuous batching whose steps are skipped over until something changes."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import ceil, inf, sqrt

from rackecon.load.prefix_store import PrefixStore
from rackecon.load.step_times import StepTimes

IDLE, DECODE, PREFILL = 0, 1, 2
ROUNDING = 1e-9


class Book:
    """What is known of each request, shared by the replicas."""

    __slots__ = ("block_tokens", "blocks", "end", "first", "hit", "input", "output", "prefilled")

    def __init__(self, inputs: list[int], outputs: list[int], blocks: object, block_tokens: int) -> None:
        self.input, self.output = inputs, outputs
        self.blocks, self.block_tokens = blocks, block_tokens
        self.first = [0.0] * len(inputs)
        self.end = [0.0] * len(inputs)
        self.hit = [0] * len(inputs)
        self.prefilled = False  # by a pool of its own


def steps_until(span: float, first: float, growth: float) -> int:
    """Fewest steps that last ``span``, where each takes ``growth`` longer than the one before.

    Examples
    --------
    >>> steps_until(1.0, 0.1, 0.0), steps_until(0.31, 0.1, 0.1)
    (10, 3)
    """
    if span <= 0.0:
        return 0
    slope = first - 0.5 * growth
    return max(ceil(2.0 * span / (slope + sqrt(slope * slope + 2.0 * growth * span)) - ROUNDING), 1)


class Replica:
    """Queue, running batch and the one event it waits for.

    Between arrivals and completions the batch is constant and each step grows by the same time, so that any number of
    steps is one closed formula: events are two or three a request, not one a token.
    """

    __slots__ = (
        "_a", "_b", "_book", "_c", "_chunk", "_finish", "_most", "_once", "_per_token", "_plan", "_prompts", "_room",
        "_state", "_steps", "busy", "clock", "due", "held", "queue", "reserved", "running", "store", "unfinished",
    )  # fmt: skip

    def __init__(self, times: StepTimes, book: Book, store: PrefixStore | None) -> None:
        self._once, self._per_token = times.once_s.tolist(), times.per_token_s.tolist()
        self._a, self._b, self._c = times.prefill_s
        self._chunk, self._most, self._room = times.chunk_tokens, times.most, times.kv_tokens
        self._book, self.store = book, store
        self._finish: list[tuple[int, int]] = []
        self._prompts: deque[list[float]] = deque()  # request, tokens to go, tokens behind them, extra time
        self._state, self._steps, self._plan = IDLE, 0, 0
        self.queue: deque[int] = deque()
        self.running, self.held, self.unfinished, self.reserved = 0, 0, 0, 0
        self.clock, self.due, self.busy = 0.0, inf, 0.0

    def arrive(self, request: int, now: float) -> None:
        """A request joins the queue; a run of steps is cut at the next boundary if it can start there."""
        self.queue.append(request)
        self.unfinished += 1
        if self._state == IDLE:
            self.clock = now
            self._next()
        elif self._state == DECODE and self._plan > 1 and self.running < self._most and self._fits(self.queue[0]):
            n = self.running
            growth = self._per_token[n] * n
            first = self._once[n] + self._per_token[n] * self.held
            steps = steps_until(now - self.clock, first, growth)
            if steps < self._plan:
                self._plan = steps
                self.due = self.clock + steps * first + 0.5 * growth * steps * (steps - 1)

    def advance(self) -> list[int]:
        """The event that was due happens; requests that ended with it."""
        now, ended = self.due, []
        self.busy += now - self.clock
        self.clock = now
        if self._state == DECODE:
            self._steps += self._plan
            self.held += self.running * self._plan
        else:
            ended = self._prompts_done(now)
        finish, book = self._finish, self._book
        while finish and finish[0][0] <= self._steps:
            request = heappop(finish)[1]
            self.running -= 1
            self._leave(request, now)
            self.held -= book.input[request] + book.output[request]
            ended.append(request)
        self._next()
        return ended

    def _leave(self, request: int, now: float) -> None:
        book = self._book
        book.end[request] = now
        self.unfinished -= 1
        self.reserved -= book.input[request] + book.output[request]

    def _fits(self, request: int) -> bool:
        book = self._book
        # An empty replica takes any request: nothing waits forever
        return self.reserved == 0 or self.reserved + book.input[request] + book.output[request] <= self._room

    def _join(self, request: int) -> None:
        """A request with its first token runs on."""
        book = self._book
        self.running += 1
        self.held += book.input[request] + 1
        heappush(self._finish, (self._steps + book.output[request] - 1, request))

    def _prompts_done(self, now: float) -> list[int]:
        ended, book = [], self._book
        if self._chunk:  # decode ran beside the prompts
            self._steps += 1
            self.held += self.running
        while self._prompts and self._prompts[0][1] <= 0.0:
            request = int(self._prompts.popleft()[0])
            book.first[request] = now
            if book.output[request] <= 1:
                self._leave(request, now)
                ended.append(request)
            else:
                self._join(request)
        return ended

    def _admit(self) -> None:
        """The head of the queue becomes a prompt: its cached prefix is looked up now."""
        book, request = self._book, self.queue.popleft()
        self.reserved += book.input[request] + book.output[request]
        hit, wait = 0, 0.0
        if self.store is not None:
            found, wait = self.store.take(book.blocks[request], self.clock)  # type: ignore[index]
            hit = min(found * book.block_tokens, book.input[request] - 1)
            book.hit[request] = hit
        self._prompts.append([request, float(book.input[request] - hit), float(hit), self._a + wait])

    def _prompt_step(self) -> float:
        """Time of the next step's prompt tokens: one prompt whole, or as many tokens as a step takes."""
        budget, time = self._chunk or inf, 0.0
        at = 0
        while budget > 0.0:
            if at == len(self._prompts):
                if not self._may_admit() or (at and not self._chunk):
                    break
                self._admit()
            prompt = self._prompts[at]
            taken = min(prompt[1], budget)
            time += prompt[3] + taken * (self._b + self._c * (prompt[2] + 0.5 * taken))
            budget -= max(taken, 1.0)
            prompt[1], prompt[2], prompt[3] = prompt[1] - taken, prompt[2] + taken, 0.0
            at += 1
            if not self._chunk:
                break
        return time

    def _may_admit(self) -> bool:
        return bool(self.queue) and self.running + len(self._prompts) < self._most and self._fits(self.queue[0])

    def _next(self) -> None:
        """What follows a boundary: prompts, decode until somebody ends, or nothing."""
        book = self._book
        if book.prefilled:
            while self._may_admit():
                request = self.queue.popleft()
                self.reserved += book.input[request] + book.output[request]
                self._join(request)
        n = self.running
        step = self._once[n] + self._per_token[n] * self.held if n else 0.0
        if self._prompts or self._may_admit():
            self._state = PREFILL
            self.due = self.clock + self._prompt_step() + (step if self._chunk else 0.0)
        elif n:
            self._state, self._plan = DECODE, self._finish[0][0] - self._steps
            k = self._plan
            self.due = self.clock + k * step + 0.5 * self._per_token[n] * n * k * (k - 1)
        else:
            self._state, self.due = IDLE, inf
