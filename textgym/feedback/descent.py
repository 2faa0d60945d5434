"""L-BFGS in numpy: a few thousand numbers in double precision, without loading torch or scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def minimise(
    objective: Callable[[np.ndarray], tuple[float, np.ndarray]],
    point: np.ndarray,
    curvature: np.ndarray,
    max_iterations: int,
    tolerance: float,
    memory: int = 10,
) -> tuple[np.ndarray, bool]:
    """L-BFGS (Nocedal & Wright, 2006, algorithm 7.5) with a line search that halves (Armijo's rule).

    Args:
        objective: Gives the value and the gradient at a point.
        point: (n,) float64, where to begin.
        curvature: (n,) positive, about the second derivatives there: the first steps' lengths.
        max_iterations: At most so many steps.
        tolerance: Converged when no derivative exceeds it.
        memory: Steps that are remembered.

    Returns:
        The point, and whether it converged.
    """
    value, gradient = objective(point)
    steps: list[np.ndarray] = []
    turns: list[np.ndarray] = []  # by how much the gradient changed along each step
    for _ in range(max_iterations):
        if np.abs(gradient).max() <= tolerance:
            return point, True
        direction = -_inverse_hessian_times(gradient, steps, turns, curvature)
        slope, length = float(direction @ gradient), 1.0
        new_value, new_gradient = objective(point + direction)
        while not new_value <= value + 1e-4 * length * slope and length > 1e-10:
            length /= 2
            new_value, new_gradient = objective(point + length * direction)
        if not new_value <= value:
            break  # as low as double precision can tell
        step, turn = length * direction, new_gradient - gradient
        point, value, gradient = point + step, new_value, new_gradient
        if step @ turn > 1e-12 * (turn @ turn):
            steps, turns = [*steps[1 - memory :], step], [*turns[1 - memory :], turn]
    return point, bool(np.abs(gradient).max() <= tolerance)


def _inverse_hessian_times(
    vector: np.ndarray, steps: list[np.ndarray], turns: list[np.ndarray], curvature: np.ndarray
) -> np.ndarray:
    """The two-loop recursion of L-BFGS (Nocedal & Wright, 2006, algorithm 7.4)."""
    found, shares = vector.copy(), []
    for step, turn in zip(reversed(steps), reversed(turns), strict=True):
        shares.append((step @ found) / (step @ turn))
        found -= shares[-1] * turn
    found /= curvature
    for step, turn, share in zip(steps, turns, reversed(shares), strict=True):
        found += (share - (turn @ found) / (step @ turn)) * step
    return found
