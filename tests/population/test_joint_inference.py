"""Matrices in whole vectors against NumPy's, at sizes around a vector's width."""

import numpy as np
import pytest

from asmrisk.numerics.jit import kernel
from asmrisk.population.joint_inference import invert, multiply, padded, posterior, transform, upper_root


@kernel
def _all(matrix, other, vector, n, inverse, root, product, image, given, scratch):
    invert(inverse, n, scratch[0])
    upper_root(root, n)
    multiply(matrix, other, n, n, n, product)
    transform(matrix, vector, n, image)
    posterior(scratch[1], other, n, given, scratch[2:])


def _room(matrix):
    """A matrix in the upper left corner of whole vectors, the rest of which means nothing."""
    size = padded(len(matrix))
    out = np.full((size, size), 7.0)
    out[: len(matrix), : len(matrix)] = matrix
    return out


@pytest.mark.parametrize("n", [1, 7, 8, 9, 20])
def test_matrices_are_those_of_numpy(n):
    rng = np.random.default_rng(n)
    one, other = (values @ values.T / n for values in rng.normal(size=(2, n, n + 3)))
    other[0] = other[:, 0] = 0.0
    first, second, vector = _room(one), _room(other), rng.normal(size=padded(n))
    inverse, root, product, given = first.copy(), first.copy(), np.zeros_like(first), np.zeros_like(first)
    image, scratch = np.zeros(padded(n)), np.zeros((6, *first.shape))
    scratch[1] = first
    _all(first, second, vector, n, inverse, root, product, image, given, scratch)
    inverse, root, product, given = (each[:n, :n] for each in (inverse, root, product, given))
    np.testing.assert_allclose(inverse, np.linalg.inv(one), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(root, np.linalg.cholesky(one).T, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(product, one @ other, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(image[:n], one @ vector[:n], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(given, np.linalg.solve(np.eye(n) + one @ other, one), rtol=1e-9, atol=1e-9)
