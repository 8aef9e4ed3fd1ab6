"""What to buy or move, when, and why. `plan` is the way in; the rest are its parts.

terms -> levels (how much is enough) -> drafts (what one SKU wants at its places) -> sharing (from another place first)
-> suppliers (budget, minimum of an order) -> advice (in words). `alerts` says what is going to go wrong meanwhile.
Pure: no topics, no clock, no models.
"""

from __future__ import annotations

from forecasting.policy.advice import Advice
from forecasting.policy.plan import Place, advise, plan
from forecasting.policy.terms import Outlook, Stock, Terms

__all__ = ["Advice", "Outlook", "Place", "Stock", "Terms", "advise", "plan"]
