"""How long a run is, how dense, and how much is asked of the stack meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.chaos.latency import Bounds
from tests.chaos.smtp import Mode

LONG_MINUTES = 5.0  # from here on: fault after fault, each alone; below: a storm, then a few
STORM_SHARE = 3 / 4  # of a short run
KILLS_A_MINUTE = 7  # of a short run, for each class of processes
OFFERED_A_SECOND = 25  # in a burst
STORM_WORST = 60.0  # seconds from a signature in the storm to its engagement
PREPARED_SHARE = 0.3  # of the run, until what is prepared for bursts is there


@dataclass(frozen=True)
class Plan:
    """Everything random follows from `seed`."""

    minutes: float
    seed: int

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    @property
    def is_long(self) -> bool:
        return self.minutes >= LONG_MINUTES

    @property
    def pause(self) -> tuple[float, float]:
        """The least and the most seconds from the end of one fault to the next, unless the stack
        takes longer to work again: that is waited for."""
        return (5.0, 14.0) if self.is_long else (0.5, 2.0)

    @property
    def storm_seconds(self) -> float:
        return 0.0 if self.is_long else self.seconds * STORM_SHARE

    @property
    def kills(self) -> int:
        """How often the storm kills each class of processes."""
        return math.ceil(KILLS_A_MINUTE * self.minutes)

    @property
    def dead_seconds(self) -> float:
        """How long Valkey stays dead: past the dispatcher's 10 s of patience."""
        return 45.0 if self.is_long else 14.0

    @property
    def seconds_a_flow(self) -> float:
        """The pace of each client that goes through whole flows: bounds the load."""
        return 2.2 if self.is_long else 1.6

    @property
    def seconds_a_signature(self) -> float:
        """The pace of each of the 16 clients that await their engagements, at the quickest."""
        return 1.8 if self.is_long else 8.0

    @property
    def burst(self) -> tuple[int, float]:
        """How many signatures a burst has, and in how many seconds they are offered."""
        count = min(1500, round(75 * self.minutes)) if self.is_long else 150
        return count, count / OFFERED_A_SECOND

    @property
    def noise(self) -> tuple[int, int]:
        """How many mails the noisy organization asks for at once, and how many the quiet one."""
        return (min(300, round(15 * self.minutes)), 5) if self.is_long else (30, 1)

    def mail_seconds(self, mode: Mode) -> float:
        """How long the mail server is not itself."""
        if self.is_long:
            return min(300.0, 15 * self.minutes) if mode == "dead" else min(75.0, 4 * self.minutes)
        return self.storm_seconds / 9

    @property
    def mail_rest(self) -> float:
        """The seconds before the end of a long run in which the mail server is itself."""
        return min(60.0, 6 * self.minutes)

    @property
    def preparing_seconds(self) -> float:
        """In what time the proposals for a burst are prepared."""
        return PREPARED_SHARE * self.seconds

    @property
    def quiet_seconds(self) -> float:
        """How long what is left at the end may take."""
        return 600.0 if self.is_long else 180.0

    @property
    def bounds(self) -> Bounds:
        """Within what every signature of the run is to be carried out. In a storm all that could do
        it is killed every few seconds, and takes as long to be up again."""
        return Bounds() if self.is_long else Bounds(p99=STORM_WORST, worst=STORM_WORST)
