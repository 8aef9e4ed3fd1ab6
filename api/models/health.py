"""What the API answers about itself, the view and the workers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.models.common import AsOf


class Counters(BaseModel):
    """Decisions since this view began (it reads the whole topic), and the orders that wait."""

    orders_per_second: float
    confirmed: int
    rejected: int
    expired: int
    cancelled: int = Field(description="Records of units given back after a decision")
    on_hold: int
    pending: int
    skus: int


class Live(BaseModel):
    alive: bool


class HaltedPartition(BaseModel):
    topic: str
    partition: int
    offset: int | None
    reason: str
    remedy: str


class Ready(BaseModel):
    ready: bool
    trouble: str = Field(description="Empty: none")
    halted: list[HaltedPartition] = Field(description="Partitions that a worker halted; the others go on")


class WorkerPartition(BaseModel):
    topic: str
    partition: int
    state: str = Field(examples=["ready", "recovering", "halted"])
    offset: int | None = None
    waiting: int | None = Field(None, description="Records in its log that are not handled yet; unknown: null")
    reason: str = ""
    remedy: str = ""


class Worker(BaseModel):
    pid: int = Field(description="On its own machine; 0: it does not answer, and its address alone is known")
    address: str = Field(description="Where it answers questions about itself", examples=["127.0.0.1:40021"])
    role: str
    answers: bool
    ready: bool
    partitions: list[WorkerPartition]


class Status(BaseModel):
    ready: bool = Field(description="The view is, all workers answer, and one has every partition ready")
    view_ready: bool
    trouble: str
    workers: list[Worker]
    counters: Counters
    unreadable: int = Field(description="Published records that could not be read")
    live_clients: int
    as_of: list[AsOf]
