import pytest

from runner import Choice, Float, Int, check_gradient, problem
from runner.errors import ProblemError, SpaceError
from runner.problems import load_problem
from runner.study.gradient_check import Agreement

SPACE = {"rate": Float(1e-4, 1.0, log=True), "x": Float(-5.0, 5.0), "n": Int(1, 5), "c": Choice(["a", "b"])}


def bowl(wrong=1.0, **more):
    @problem(space=SPACE, **more)
    def made(config):
        away = config["x"] - 8.0
        return {
            "loss": away**2 + 3.0 * config["rate"] + config["n"],
            "gradient": {"x": 2 * away * wrong, "rate": 3.0},
        }

    return made


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_right_gradient_is_right_in_two_extra_trials(direction):
    found = check_gradient(bowl(direction=direction))
    assert (found.agreement, found.trials) == (Agreement.RIGHT, 3)
    assert found.error < 1e-4
    assert "agrees with differences" in found.message


@pytest.mark.parametrize("wrong", [0.8, 1.2, 2.0, -1.0, 0.0])
def test_a_wrong_derivative_is_named_with_what_it_should_be(wrong):
    found = check_gradient(bowl(wrong))
    assert found.agreement is Agreement.WRONG
    assert [slope.name for slope in found.wrong] == ["x"]
    (slope,) = found.wrong
    assert slope.reported == pytest.approx(wrong * slope.measured, rel=1e-3)
    assert "for 'x' by differences, got" in found.message


def test_each_of_many_parameters_is_found():
    inner = load_problem("logistic_l2_features")
    for name in ("penalty_03", "penalty_17"):

        @problem(space=inner.space)
        def turned(config, seed, name=name):
            answer = inner.evaluate(config, seed)
            slopes = {key: slope * config[key] for key, slope in answer["gradient"].items()}
            answer["gradient"][name] += max(map(abs, slopes.values())) / config[name]
            return answer

        found = check_gradient(turned, inner.default)
        assert [slope.name for slope in found.wrong] == [name]


@pytest.mark.parametrize("name", ["rosenbrock_gradient", "quadratic20", "ridge_features", "lasso_features"])
def test_built_in_gradients_are_right(name):
    assert check_gradient(load_problem(name)).agreement is Agreement.RIGHT


def test_what_has_no_derivative_is_said():
    @problem(space=SPACE)
    def part(config):
        return {"loss": config["x"] ** 2 + config["rate"], "gradient": {"x": 2 * config["x"]}}

    found = check_gradient(part)
    assert (found.agreement, found.missing) == (Agreement.RIGHT, ("rate",))
    assert found.message.endswith("Without a derivative: rate.")
    none = check_gradient(load_problem("branin"))
    assert (none.agreement, none.missing) == (Agreement.ABSENT, ("x1", "x2"))


def test_a_flat_or_noisy_loss_decides_nothing():
    @problem(space={"x": Float(0.0, 1.0)})
    def flat(config):
        return {"loss": 1.0, "gradient": {"x": 0.0}}

    assert check_gradient(flat).agreement is Agreement.UNDECIDED
    assert check_gradient(bowl(noisy=True)).agreement is Agreement.UNDECIDED


def test_a_failed_config_is_replaced_by_another():
    calls = []

    @problem(space={"x": Float(0.5, 1.0)})
    def first_fails(config):
        calls.append(config)
        if config == calls[0]:
            raise RuntimeError("no")
        return {"loss": config["x"] ** 2, "gradient": {"x": 2 * config["x"]}}

    assert check_gradient(first_fails).agreement is Agreement.RIGHT

    @problem(space={"x": Float(0.0, 1.0)})
    def fails(config):
        raise RuntimeError("never")

    with pytest.raises(ProblemError, match="fails: no config could be evaluated: RuntimeError: never"):
        check_gradient(fails)
    with pytest.raises(SpaceError):
        check_gradient(fails, {"x": 2.0})
