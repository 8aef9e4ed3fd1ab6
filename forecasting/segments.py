"""What kind of demand a series has, by its past alone: new, dead, smooth, erratic, intermittent or lumpy.

Reads a `Panel`; writes nothing. new: under `NEW_DAYS` since its first day; dead: no sale for `DEAD_DAYS`; the rest by
the mean days between sales (ADI) and the squared coefficient of variation of the units of a day with a sale (CV2).
Does not belong here: which method a segment gets.
"""

from __future__ import annotations

import numpy as np

from forecasting.panel import Panel

SEGMENTS = ("new", "dead", "smooth", "erratic", "intermittent", "lumpy")
NEW, DEAD, SMOOTH, ERRATIC, INTERMITTENT, LUMPY = range(len(SEGMENTS))
NEW_DAYS = 56
DEAD_DAYS = 91
ADI_BOUND = 1.32
CV2_BOUND = 0.49
JUDGED_DAYS = 182  # what a series was like before says little about what it is


def segments_of(panel: Panel) -> np.ndarray:
    """Per series the position in `SEGMENTS`, at the end of the panel."""
    recent = panel.units[:, -JUDGED_DAYS:].astype(np.float64)
    known = (~np.isnan(recent)).sum(axis=1)
    sold = recent > 0
    sales = sold.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        adi = known / sales
        mean = np.nansum(recent, axis=1) / sales
        variance = np.nansum(np.where(sold, (recent - mean[:, None]) ** 2, 0.0), axis=1) / sales
        cv2 = variance / mean**2
    often, steady = adi < ADI_BOUND, cv2 < CV2_BOUND
    kind = np.select([often & steady, often, steady], [SMOOTH, ERRATIC, INTERMITTENT], LUMPY)
    kind[~(panel.units[:, -DEAD_DAYS:] > 0).any(axis=1)] = DEAD
    kind[panel.days - panel.starts < NEW_DAYS] = NEW
    return kind
