"""Whether a column's live numbers are those of the reference in other units: cents for euros, or degrees Fahrenheit.

Nine quantiles of both sides are all that is known. Live numbers are other units if, converted back, they have the
reference's distribution within chance, and the conversion is not what a change of the world would look like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelcycle.model.window import QUANTILES, Side

MIN_DIFFERENT = 3  # quantiles of the reference; fewer fit any conversion
TOLERANCE = 0.03  # of a distribution function, besides chance: quantiles lie apart, and the world changes too
EQUAL = 1e-6  # relative difference of two numbers that were converted there and back
CHANCE = 2.5  # standard deviations of a share
LARGE_FACTOR = 5.0  # that no change of the world has, if all quantiles share it
LARGE_FACTOR_AROUND_ZERO = 10.0  # of numbers of both signs: only their spread tells the factor
KNOWN_TOLERANCE, KNOWN_ROWS = 0.03, 500  # of a known factor where the sides hardly overlap, from so many rows on each
EXACT_TOLERANCE, EXACT_ROWS = 0.01, 2_000  # where they overlap
MIN_KNOWN_DIFFERENT = 7  # quantiles of the reference; a column of many zeros has fewer
TOLD_TOLERANCE = 0.07  # of a large factor, whose name is only told
MIN_MIXED_SHARE = 0.15  # of rows in other units, if not all of them are

KNOWN = {
    1.609344: "miles and kilometres", 2.20462: "pounds and kilograms", 2.54: "inches and centimetres",
    3.28084: "feet and metres", 3.6: "metres a second and kilometres an hour", 3.785412: "gallons and litres",
    4.184: "calories and joules",
}  # fmt: skip
TOLD = {
    7.0: "days and weeks", 10.0: "millimetres and centimetres", 12.0: "months and years", 24.0: "hours and days",
    28.3495: "ounces and grams", 60.0: "seconds and minutes, or minutes and hours", 100.0: "cents, or per cent",
    1000.0: "thousands, such as grams and kilograms", 1024.0: "KiB and MiB", 3600.0: "seconds and hours",
    86400.0: "seconds and days", 1e6: "millions",
}  # fmt: skip
MIXED = (60.0, 100.0, 1000.0, 3600.0, 1e6)
CELSIUS, FAHRENHEIT, KELVINS = (-60.0, 130.0), (-76.0, 266.0), (213.0, 403.0)  # of a temperature in daily life
TEMPERATURES = {
    (1.8, 32.0): (CELSIUS, "degrees Fahrenheit for Celsius"),
    (1 / 1.8, -32 / 1.8): (FAHRENHEIT, "degrees Celsius for Fahrenheit"),
    (1.0, 273.15): (CELSIUS, "kelvins for degrees Celsius"),
    (1.0, -273.15): (KELVINS, "degrees Celsius for kelvins"),
}

Array = npt.NDArray[np.float64]
LEVELS = np.array(QUANTILES)


def other_units(reference: Side, live: Side) -> str:
    """Return which units the live numbers have, as a clause; empty if they are those of the reference, or unknown.

    Examples
    --------
    >>> ages = [18.0, 20.0, 23.0, 30.0, 41.0, 52.0, 60.0, 66.0, 75.0]
    >>> years = Side(rows=5000, counts=[5000], quantiles=ages)
    >>> other_units(years, Side(rows=5000, counts=[5000], quantiles=[12 * age for age in ages]))
    'the values are about 12 times as large (months and years)'
    >>> other_units(years, Side(rows=5000, counts=[5000], quantiles=[age + 9 for age in ages]))
    ''
    """
    sides = _Sides.of(reference, live)
    if sides is None:
        return ""
    return sides.multiple() or sides.temperature() or sides.affine() or sides.negated() or sides.mixed()


@dataclass(frozen=True)
class _Sides:
    """Quantiles (9,) of both sides, and rows with a value."""

    reference: Array
    live: Array
    reference_rows: int
    live_rows: int

    @staticmethod
    def of(reference: Side, live: Side) -> _Sides | None:
        """Return both sides; None if their quantiles do not tell enough."""
        quantiles = [np.array(side.quantiles, dtype=np.float64) for side in (reference, live)]
        if any(len(values) != len(LEVELS) or not np.isfinite(values).all() for values in quantiles):
            return None
        rows = [max(sum(side.counts), 1) for side in (reference, live)]
        known = _Sides(quantiles[0], quantiles[1], rows[0], rows[1])
        return known if min(len(np.unique(values)) for values in quantiles) >= MIN_DIFFERENT else None

    @property
    def one_sign(self) -> bool:
        return bool((self.reference >= 0).all() or (self.reference <= 0).all())

    @property
    def apart(self) -> bool:
        """Whether each median lies outside of nine tenths of the other side."""
        first, second = self.reference, self.live
        return not (second[1] <= first[4] <= second[7] or first[1] <= second[4] <= first[7])

    def fits(self, factor: float, offset: float = 0.0) -> bool:
        """Return whether live numbers are `factor` times those of the reference, plus `offset`, but for chance."""
        back = (self.live - offset) / factor
        levels = LEVELS if factor > 0 else 1 - LEVELS
        return bool((self._distance(back, levels) <= self._tolerance).all())

    @property
    def _tolerance(self) -> Array:
        chance = np.sqrt(LEVELS * (1 - LEVELS) * (1 / self.reference_rows + 1 / self.live_rows))
        tolerance: Array = TOLERANCE + CHANCE * chance
        return tolerance

    def _distance(self, values: Array, levels: Array) -> Array:
        """Return how far `levels` lie outside of the reference's distribution function at `values`, which jumps."""
        below, up_to = self._shares(values)
        distance: Array = np.maximum(np.maximum(below - levels, levels - up_to), 0.0)
        return distance

    def _shares(self, values: Array) -> tuple[Array, Array]:
        """Return the shares of the reference below some values, and up to them; linear between its quantiles."""
        different, first = np.unique(self.reference, return_index=True)
        last = np.append(first[1:], len(LEVELS)) - 1
        near = EQUAL * np.abs(different)
        knots = np.maximum.accumulate(np.column_stack([different - near, different + near]).ravel())
        shares = np.column_stack([LEVELS[first], LEVELS[last]]).ravel()
        beside = 2 * EQUAL * np.abs(values)
        below, up_to = np.interp(values - beside, knots, shares), np.interp(values + beside, knots, shares)
        below = np.where(values - beside <= different[0], 0.0, below)
        up_to = np.where(values + beside >= different[-1], 1.0, up_to)
        return below, up_to

    def temperature(self) -> str:
        """Both scales of a temperature have an origin of their own, so a shift alone does not look like one."""
        for (factor, offset), ((low, high), name) in TEMPERATURES.items():
            possible = low <= self.reference[0] and self.reference[-1] <= high
            if possible and self.fits(factor, offset) and not self.fits(1.0) and not self.fits(factor):
                return f"the values look like {name}"
        return ""

    def multiple(self) -> str:
        """All quantiles are the same multiple."""
        used = (self.reference != 0) & (self.live != 0)
        if len(np.unique(self.reference[used])) < 2:
            return ""
        ratios = self.live[used] / self.reference[used]
        inner = (LEVELS[used] >= 0.05) & (LEVELS[used] <= 0.95)
        factor = float(np.median(ratios[inner] if inner.sum() >= MIN_DIFFERENT else ratios))
        if factor <= 0 or not self.fits(factor):
            return ""
        size = max(factor, 1 / factor)
        if size >= (LARGE_FACTOR if self.one_sign else LARGE_FACTOR_AROUND_ZERO):
            return _told(factor, next((known for known in TOLD if abs(size / known - 1) <= TOLD_TOLERANCE), None))
        known = self._known(size)
        return _told(factor, known) if known else ""

    def _known(self, size: float) -> float | None:
        """Return the known factor between units that `size` is; None if it is none, or the quantiles do not tell."""
        rows, wanted = min(self.reference_rows, self.live_rows), KNOWN_ROWS if self.apart else EXACT_ROWS
        if rows < wanted or not self.one_sign or len(np.unique(self.reference)) < MIN_KNOWN_DIFFERENT:
            return None
        tolerance = KNOWN_TOLERANCE if self.apart else EXACT_TOLERANCE
        return next((known for known in KNOWN if abs(size / known - 1) <= tolerance), None)

    def affine(self) -> str:
        """Live numbers were scaled and moved, as by a standardization that the reference does not have."""
        wide = (1, 7) if self.reference[7] > self.reference[1] else (0, 8)
        spread = self.reference[wide[1]] - self.reference[wide[0]]
        factor = float((self.live[wide[1]] - self.live[wide[0]]) / spread) if spread else 0.0
        if factor <= 0:
            return ""
        offset = float(np.median(self.live - factor * self.reference))
        if max(factor, 1 / factor) < LARGE_FACTOR or not self.apart or not self.fits(factor, offset):
            return ""
        return f"the values look like {factor:.3g} times the reference's, {_plus(offset)}: scaled, or in other units"

    def negated(self) -> str:
        """Numbers of one sign have the other one."""
        if self.one_sign and self.apart and self.fits(-1.0):
            return "the values have the other sign"
        return ""

    def mixed(self) -> str:
        """A part of the rows is in other units, such as those of one client."""
        if not self.one_sign:
            return ""
        for size in MIXED:
            for factor in (size, 1 / size):
                share = self._mixed_share(factor)
                if share >= MIN_MIXED_SHARE:
                    return f"some {share:.0%} of {_told(factor, size)}"
        return ""

    def _mixed_share(self, factor: float) -> float:
        """Return the share of rows that are `factor` times as large, the others being as in the reference; 0 if the
        live numbers are no such mixture."""
        plain, scaled = (np.mean(self._shares(values), axis=0) for values in (self.live, self.live / factor))
        moved = scaled - plain
        if not moved @ moved:
            return 0.0
        share = float(np.clip(moved @ (LEVELS - plain) / (moved @ moved), 0.0, 1.0))
        left = np.abs(LEVELS - plain - share * moved)
        return share if bool((left <= self._tolerance).all()) and np.abs(LEVELS - plain).max() > 0.1 else 0.0


def _told(factor: float, known: float | None) -> str:
    """Return how large the values are, as a clause; a known factor stands for the measured one, which is inexact."""
    size = known or max(factor, 1 / factor)
    name = {**KNOWN, **TOLD}.get(size)
    direction = "large" if factor >= 1 else "small"
    return f"the values are about {size:,.6g} times as {direction}" + (f" ({name})" if name else "")


def _plus(offset: float) -> str:
    return f"plus {offset:.3g}" if offset >= 0 else f"minus {-offset:.3g}"
