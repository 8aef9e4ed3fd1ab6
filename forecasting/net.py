"""A small neural network that says several quantiles of a row at once, fitted by the very loss they are scored by.

Reads rows of numbers about one in size, and targets; writes nothing; numpy alone. Two things trees lack: what is said
changes smoothly with the row, and one look at all rows serves every quantile. Guarantees: nothing said is below zero;
the same rows and seed give the same net. Does not belong here: what the numbers mean, how several nets are averaged
(bounds.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from forecasting.panel import Floats

HIDDEN = (32, 32, 32)
EPOCHS = 30
BATCH_ROWS = 512
STEP = 4e-3  # the longest; steps grow to it first, so that a bad start is not run away from, and shrink to 0 at the end
WARM_STEPS = 200
DECAY = 1e-4  # of weights: holds those still that no row has a say in
FIRST_LAST = 0.1  # the last layer starts this much smaller, so that a net starts from the same quantiles for all
MOMENTUM, SQUARES_KEPT = 0.9, 0.999  # Adam's


@dataclass(frozen=True, slots=True)
class QuantileNet:
    """Per layer, float32: `weights` (numbers in, numbers out) and `biases`; the last has one number per quantile."""

    weights: Sequence[Floats]
    biases: Sequence[Floats]

    def predict(self, given: Floats) -> Floats:
        """(rows, quantiles) in the unit of the targets; `given` (rows, numbers) float32."""
        return np.maximum(self.layers(given)[-1], 0.0)

    def layers(self, given: Floats) -> list[Floats]:
        """What goes into each layer, and what comes out of the last."""
        found = [given]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            found.append(np.maximum(found[-1] @ weight + bias, 0.0))
        return [*found, found[-1] @ self.weights[-1] + self.biases[-1]]


def fit_net(
    given: Floats, target: Floats, weight: Floats, probabilities: Sequence[float], *, seed: int, epochs: int = EPOCHS
) -> QuantileNet:
    """`given` (rows, numbers) float32; `target` and `weight` per row, weights about one."""
    chance = np.random.default_rng(seed)
    p = np.asarray(probabilities, dtype=np.float32)
    target, weight = target.astype(np.float32)[:, None], weight.astype(np.float32)[:, None]
    net = _first(given.shape[1], np.quantile(target, probabilities), chance)
    parts = [*net.weights, *net.biases]
    means, squares = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    for n, (rows, step) in enumerate(_batches(len(given), epochs, chance), start=1):
        for part, slope, mean, square in zip(
            parts, _slopes(net, given[rows], target[rows], weight[rows], p), means, squares, strict=True
        ):
            mean += (1 - MOMENTUM) * (slope - mean)
            square += (1 - SQUARES_KEPT) * (slope**2 - square)
            part -= step * (mean / (1 - MOMENTUM**n)) / (np.sqrt(square / (1 - SQUARES_KEPT**n)) + 1e-8)
    return net


def _first(numbers: int, quantiles: Floats, chance: np.random.Generator) -> QuantileNet:
    """A net that says `quantiles` of every row, nearly."""
    sizes = (numbers, *HIDDEN, len(quantiles))
    weights = [
        (chance.standard_normal((before, after)) * np.sqrt(2 / before)).astype(np.float32)
        for before, after in pairwise(sizes)
    ]
    weights[-1] *= FIRST_LAST
    biases = [np.zeros(size, dtype=np.float32) for size in sizes[1:]]
    biases[-1] += quantiles.astype(np.float32)
    return QuantileNet(weights, biases)


def _batches(rows: int, epochs: int, chance: np.random.Generator) -> Iterator[tuple[Floats, float]]:
    """Rows of each step and how long it is."""
    per_epoch = -(-rows // BATCH_ROWS)
    for epoch in range(epochs):
        order = chance.permutation(rows)
        for n in range(per_epoch):
            done = epoch * per_epoch + n
            step = STEP * min(1.0, (done + 1) / WARM_STEPS) * (1 - done / (epochs * per_epoch))
            yield order[n * BATCH_ROWS : (n + 1) * BATCH_ROWS], step


def _slopes(net: QuantileNet, given: Floats, target: Floats, weight: Floats, p: Floats) -> list[Floats]:
    """Of the mean pinball loss of these rows, by every layer's weights and then by every layer's biases."""
    *inputs, said = net.layers(given)
    slope = np.where(target > said, -p, 1 - p) * weight / len(given)
    by_weight: list[Floats] = []
    by_bias: list[Floats] = []
    for layer in range(len(inputs) - 1, -1, -1):
        by_weight.append(inputs[layer].T @ slope + DECAY * net.weights[layer])
        by_bias.append(slope.sum(axis=0))
        if layer:
            slope = (slope @ net.weights[layer].T) * (inputs[layer] > 0)
    return [*reversed(by_weight), *reversed(by_bias)]
