"""A neural network in autograd whose objective reports its gradient, through all steps of training.

Its hyper-parameters are a learning rate and a weight decay for each layer, the momentum, and the scale of
the initial weights. Reverse-mode differentiation passes through every step of the training, and costs about
three trainings for any number of hyper-parameters. Requires the extra ``autograd``
(``pip install 'fivefold[autograd]'``). PyTorch or JAX would do as well: fivefold sees only the mapping at
the end.
"""

from functools import lru_cache

import autograd.numpy as np
from autograd import grad, value_and_grad
from autograd.scipy.special import logsumexp
from sklearn.datasets import load_digits

from runner import Float, problem
from runner.problems import rng_for

ROWS, HIDDEN, STEPS = 300, 16, 40


@lru_cache
def parts(seed):
    """Split pixels and one-hot labels into training, validation and test rows, by seed."""
    X, y = load_digits(return_X_y=True)
    order = rng_for(seed, "rows").permutation(len(y))
    X, T = X[order] / 16.0, np.eye(10)[y[order]]
    cuts = [slice(0, ROWS), slice(ROWS, 2 * ROWS), slice(2 * ROWS, None)]
    return [(X[rows], T[rows]) for rows in cuts]


def log_loss(weights, X, T):
    """Return the mean log loss of a network with one hidden layer of tanh units."""
    first, second = weights
    margins = np.dot(np.tanh(np.dot(X, first)), second)
    return np.mean(logsumexp(margins, axis=1) - np.sum(margins * T, axis=1))


def train(config, X, T, rng):
    """Train by gradient descent with momentum; autograd records every step."""
    weights = [
        config["scale"] * rng.normal(size=(64, HIDDEN)) / 8.0,
        config["scale"] * rng.normal(size=(HIDDEN, 10)) / HIDDEN**0.5,
    ]
    speeds = [np.zeros((64, HIDDEN)), np.zeros((HIDDEN, 10))]
    slope = grad(log_loss)
    for _ in range(STEPS):
        slopes = slope(weights, X, T)
        for layer in (0, 1):
            rate, decay = config[f"rate_{layer}"], config[f"decay_{layer}"]
            speeds[layer] = config["momentum"] * speeds[layer] - rate * (
                slopes[layer] + decay * weights[layer]
            )
        weights = [weight + speed for weight, speed in zip(weights, speeds, strict=True)]
    return weights


@problem(
    space={
        "rate_0": Float(1e-3, 1.0, log=True),
        "rate_1": Float(1e-3, 1.0, log=True),
        "decay_0": Float(1e-5, 1e-1, log=True),
        "decay_1": Float(1e-5, 1e-1, log=True),
        "momentum": Float(0.0, 0.95),
        "scale": Float(0.1, 3.0, log=True),
    },
    has_gradient=True,
    default={
        "rate_0": 0.1,
        "rate_1": 0.1,
        "decay_0": 1e-3,
        "decay_1": 1e-3,
        "momentum": 0.9,
        "scale": 1.0,
    },
)
def network(config, seed):
    """Return the validation loss after training, its gradient, and the test loss."""
    training, validation, test = parts(seed)

    def validation_loss(config):
        return log_loss(train(config, *training, rng_for(seed, "weights")), *validation)

    loss, gradient = value_and_grad(validation_loss)(config)
    weights = train(config, *training, rng_for(seed, "weights"))
    return {"loss": loss, "gradient": gradient, "test": log_loss(weights, *test)}
