import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.methods.bayes.gaussian_process import matern
from runner.methods.encoded import Cube, Embedding, cube_of
from runner.space import Space
from runner.space.domains import Choice, Float, Int
from tests.strategies import small_domains, spaces

seeds = st.integers(0, 2**32 - 1)


class TestCube:
    @given(spaces(), seeds)
    def test_reads_rows_as_the_space_does(self, space, seed):
        cube = Cube(space)
        rows = np.random.default_rng(seed).random((5, space.d))
        for row, active in zip(rows, cube.active(rows), strict=True):
            config = space.decode(row)
            assert np.array_equal(active, space.active(config))
            assert cube.allows(row) == space.allows(config)
            assert np.array_equal(cube.canonical(row), space.encode(config))

    @given(spaces(), seeds)
    def test_snapping_keeps_the_rows_of_configs(self, space, seed):
        cube = Cube(space)
        rng = np.random.default_rng(seed)
        rows = np.array([space.encode(space.sample(rng)) for _ in range(4)])
        assert np.array_equal(cube.snap(rows), rows)
        snapped = cube.snap(rng.random((6, space.d)))
        assert np.array_equal(cube.snap(snapped), snapped)

    @given(spaces(small_domains()))
    @settings(max_examples=30)
    def test_lists_the_rows_of_a_small_space(self, space):
        rows = Cube(space).rows
        assert rows is not None
        assert len({row.tobytes() for row in rows}) == len(rows) == space.size()

    def test_counts_none_where_there_are_too_many_branches(self):
        options = {i: {f"p{i}": Choice([1, 2])} for i in range(12)}
        params = {name: Choice({k: {f"{name}{k}": Int(0, 1)} for k in options}) for name in "abcd"}
        cube = Cube(Space(params))
        assert cube.size == float("inf")
        assert cube.rows is None

    def test_neighbours_differ_in_one_parameter(self):
        space = Space({"x": Float(0, 1), "k": Int(1, 9), "c": Choice(["a", "b", "c"]), "one": Choice([7])})
        config = {"x": 0.25, "k": 1, "c": "b", "one": 7}
        around = [space.decode(row) for row in Cube(space).neighbours(space.encode(config))]
        assert around == [{**config, "k": 2}, {**config, "c": "a"}, {**config, "c": "c"}]

    def test_is_made_once_for_equal_spaces(self):
        assert cube_of(Space({"x": Float(0, 1)})) is cube_of(Space({"x": Float(0, 1)}))


class TestEmbedding:
    @given(spaces(), seeds)
    @settings(max_examples=50)
    def test_the_kernel_is_positive_semi_definite(self, space, seed):
        """With conditions, categories and any length scales."""
        rng = np.random.default_rng(seed)
        cube = Cube(space)
        Z = cube.features(cube.snap(rng.random((25, space.d))))
        Z = Z / np.exp(rng.normal(-0.5, 1.0, space.d))[cube.embedding.owner]
        rho2 = np.sum((Z[:, None] - Z[None, :]) ** 2, axis=2)
        assert np.linalg.eigvalsh(matern(rho2, 1.0)[0]).min() > -1e-10

    def test_categories_are_at_distance_one_and_numbers_at_their_own(self):
        embedding = Embedding([3, 0])
        rows = np.array([[0.1, 0.2], [0.5, 0.2], [0.9, 0.7]])
        Z = embedding(rows, np.ones((3, 2), dtype=bool))
        squares = np.sum((Z[:, None] - Z[None, :]) ** 2, axis=2)
        assert np.allclose(squares, [[0, 1, 1.25], [1, 0, 1.25], [1.25, 1.25, 0]])

    def test_inactive_coordinates_make_no_difference(self):
        embedding = Embedding([3, 0])
        active = np.array([[False, False]] * 2)
        Z = embedding(np.array([[0.1, 0.2], [0.9, 0.8]]), active)
        assert np.array_equal(Z[0], Z[1])
        favourites = embedding(np.array([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]]), np.ones((3, 2), dtype=bool))
        assert np.ptp(np.sum((favourites - Z[0]) ** 2, axis=1)) < 1e-12
