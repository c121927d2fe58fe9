"""Other packages' samplers, asked and told as their manuals say, with their own defaults.

They see the parameters in the units that a user would write: with logarithms, steps and categories
where the package has words for them. Only spaces without conditions are written for all of them.
"""

from __future__ import annotations

import copy
import math
import warnings

import numpy as np

from benchmarks.quality.simulation import Asker
from runner.seeds import seed_for
from runner.space.domains import Choice, Int


class OptunaSampler(Asker):
    """A sampler of Optuna; a failed trial is told as failed, or pruned where it would not be seen."""

    def __init__(self, space, seed, parallel, trials, sampler="TPESampler"):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        self._failed = optuna.trial.TrialState.FAIL
        made = getattr(optuna.samplers, sampler)(seed=seed_for("optuna", seed))
        self._study = optuna.create_study(sampler=made)
        self._space, self._distributions = space, None

    def ask(self):
        trial = self._study.ask()
        return trial, _walk(self._space.params, lambda name, domain: self._suggested(trial, name, domain))

    def tell(self, token, config, loss):
        if loss is None:
            self._study.tell(token, state=self._failed)
        else:
            self._study.tell(token, loss)

    def know(self, config, loss):
        import optuna

        if self._distributions is None:  # the study has them once it has been asked
            trial, _ = self.ask()
            self._distributions = trial.distributions
            self._study.tell(trial, state=self._failed)
        params = {
            name: domain.index(config[name]) if isinstance(domain, Choice) else config[name]
            for name, domain in self._space.params
        }
        known = optuna.create_trial(params=params, distributions=self._distributions, value=loss)
        self._study.add_trial(known)

    def _suggested(self, trial, name, domain):
        if isinstance(domain, Choice):
            return domain.options[trial.suggest_categorical(name, list(range(domain.levels)))]
        suggest = trial.suggest_int if isinstance(domain, Int) else trial.suggest_float
        # Optuna has no logarithm together with a step.
        step = {} if domain.log or domain.step is None else {"step": domain.step}
        return suggest(name, domain.low, domain.high, log=domain.log, **step)


def _walk(params, value):
    config = {}
    for name, domain in params:
        config[name] = value(name, domain)
        if isinstance(domain, Choice) and domain.conditional:
            config |= _walk(domain.branches[domain.index(config[name])], value)
    return config


class Hyperopt(Asker):
    """``tpe.suggest`` of hyperopt, over its own words for the same ranges."""

    def __init__(self, space, seed, parallel, trials):
        import hyperopt

        self._hyperopt = hyperopt
        self._space = space
        self._domain = hyperopt.Domain(lambda c: c, {"all": self._expression(space.params, "")})
        self._trials, self._pattern = hyperopt.Trials(), None
        self._rng = np.random.default_rng(seed_for("hyperopt", seed))

    def ask(self):
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        seed = int(self._rng.integers(2**31))
        docs = self._hyperopt.tpe.suggest(ids, self._domain, self._trials, seed, verbose=False)
        self._trials.insert_trial_docs(docs)
        self._trials.refresh()
        doc = self._trials._dynamic_trials[-1]
        values = {label: drawn[0] for label, drawn in doc["misc"]["vals"].items() if drawn}
        found = self._hyperopt.space_eval(self._domain.expr, values)["all"]
        return doc, _flat(self._space, found)

    def tell(self, token, config, loss):
        if loss is None:
            token["state"] = self._hyperopt.JOB_STATE_ERROR
        else:
            token["state"] = self._hyperopt.JOB_STATE_DONE
            token["result"] = {"status": "ok", "loss": loss}
        self._trials.refresh()

    def know(self, config, loss):
        if self._pattern is None:
            self._pattern, _ = self.ask()
            self._pattern["state"] = self._hyperopt.JOB_STATE_ERROR
        doc = copy.deepcopy(self._pattern)
        (doc["tid"],) = self._trials.new_trial_ids(1)
        doc["misc"]["tid"] = doc["tid"]
        doc["misc"]["idxs"] = {label: [doc["tid"]] for label in doc["misc"]["idxs"]}
        self._trials.insert_trial_docs([doc])
        doc = self._trials._dynamic_trials[-1]
        values = {f"/{name}": self._value(domain, config[name]) for name, domain in self._space.params}
        doc["misc"]["vals"] = {label: [values[label]] for label in doc["misc"]["vals"]}
        self.tell(doc, config, loss)

    def _value(self, domain, given):
        return domain.index(given) if isinstance(domain, Choice) else given

    def _expression(self, params, path):
        hp, scope = self._hyperopt.hp, self._hyperopt.pyll.scope
        made = {}
        for name, domain in params:
            label = f"{path}/{name}"
            if isinstance(domain, Choice):
                branches = domain.branches if domain.conditional else ((),) * domain.levels
                made[name] = hp.choice(
                    label,
                    [
                        {"option": i, **self._expression(branch, f"{label}/{i}")}
                        for i, branch in enumerate(branches)
                    ],
                )
            elif isinstance(domain, Int) and domain.log:
                ends = math.log(domain.low), math.log(domain.high)
                made[name] = scope.int(hp.qloguniform(label, *ends, 1.0))
            elif isinstance(domain, Int):
                made[name] = hp.uniformint(label, domain.low, domain.high, q=float(domain.step or 1))
            elif domain.log:
                made[name] = hp.loguniform(label, math.log(domain.low), math.log(domain.high))
            elif domain.step is not None:
                made[name] = hp.quniform(label, domain.low, domain.high, domain.step)
            else:
                made[name] = hp.uniform(label, domain.low, domain.high)
        return made


def _flat(space, found):
    """A config of the space: of the numbers that came out the nearest ones that lie in it."""

    def value(name, domain):
        nonlocal at
        given = at[name]
        if isinstance(domain, Choice):
            at = at | given
            return domain.options[given["option"]]
        return nearest_value(domain, given)

    at = dict(found)
    return _walk(space.params, value)


def nearest_value(domain, given):
    """The value of a numeric domain that is nearest to a number."""
    inside = min(max(given, domain.low), domain.high)
    return domain.decode(domain.encode(inside)) if domain.levels is None else _on_grid(domain, inside)


def _on_grid(domain, inside):
    step = domain.step or 1
    at = domain.low + step * round((inside - domain.low) / step)
    return int(at) if isinstance(domain, Int) else domain.decode(domain.encode(at))


class BayesOpt(Asker):
    """bayesian-optimization as it is. It has no logarithms: they are taken here, as a user would."""

    def __init__(self, space, seed, parallel, trials):
        from bayes_opt import BayesianOptimization

        warnings.simplefilter("ignore")
        self._space = space
        bounds = {}
        for name, domain in space.params:
            if isinstance(domain, Choice):
                bounds[name] = tuple(f"{i}" for i in range(domain.levels))
            elif domain.log:
                bounds[name] = (math.log(domain.low), math.log(domain.high))
            else:
                bounds[name] = (domain.low, domain.high, int if isinstance(domain, Int) else float)
        self._optimizer = BayesianOptimization(
            None, bounds, random_state=seed_for("bayes_opt", seed), verbose=0, allow_duplicate_points=True
        )

    def ask(self):
        point = self._optimizer.suggest()
        config = {}
        for name, domain in self._space.params:
            if isinstance(domain, Choice):
                config[name] = domain.options[int(point[name])]
            else:
                given = math.exp(point[name]) if domain.log else float(point[name])
                config[name] = nearest_value(domain, given)
        return point, config

    def tell(self, token, config, loss):
        if loss is not None:  # it has no word for a failure
            self._optimizer.register(token, -loss)


class ScikitOptimize(Asker):
    """``skopt.Optimizer`` with its Gaussian process."""

    def __init__(self, space, seed, parallel, trials):
        import skopt
        from skopt.space import Categorical, Integer, Real

        warnings.simplefilter("ignore")
        self._space = space
        dimensions = []
        for name, domain in space.params:
            prior = "log-uniform" if not isinstance(domain, Choice) and domain.log else "uniform"
            if isinstance(domain, Choice):
                dimensions.append(Categorical(list(range(domain.levels)), name=name))
            elif isinstance(domain, Int):
                dimensions.append(Integer(domain.low, domain.high, prior=prior, name=name))
            else:
                dimensions.append(Real(domain.low, domain.high, prior=prior, name=name))
        self._optimizer = skopt.Optimizer(dimensions, random_state=seed_for("skopt", seed))

    def ask(self):
        point = self._optimizer.ask()
        return point, _listed(self._space, point)

    def tell(self, token, config, loss):
        if loss is not None:
            self._optimizer.tell(token, loss)


def _listed(space, point):
    return {
        name: domain.options[int(given)]
        if isinstance(domain, Choice)
        else nearest_value(domain, float(given))
        for (name, domain), given in zip(space.params, point, strict=True)
    }


class Hebo(Asker):
    """HEBO, one suggestion at a time."""

    def __init__(self, space, seed, parallel, trials):
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        warnings.simplefilter("ignore")
        self._space = space
        rows = []
        for name, domain in space.params:
            if isinstance(domain, Choice):
                kind = {"type": "cat", "categories": [f"{i}" for i in range(domain.levels)]}
            elif isinstance(domain, Int):
                kind = {"type": "pow_int" if domain.log else "int", "lb": domain.low, "ub": domain.high}
            else:
                kind = {"type": "pow" if domain.log else "num", "lb": domain.low, "ub": domain.high}
            rows.append({"name": name} | kind)
        self._optimizer = HEBO(DesignSpace().parse(rows), scramble_seed=seed_for("hebo", seed))

    def ask(self):
        token = self._optimizer.suggest(n_suggestions=1)
        return token, _listed(self._space, [token.iloc[0][name] for name, _ in self._space.params])

    def tell(self, token, config, loss):
        if loss is not None:
            self._optimizer.observe(token, np.array([[loss]]))


class Smac(Asker):
    """The hyper-parameter facade of SMAC, which has a random forest."""

    def __init__(self, space, seed, parallel, trials):
        import tempfile

        import ConfigSpace
        from smac import HyperparameterOptimizationFacade, Scenario
        from smac.runhistory import StatusType, TrialValue

        warnings.simplefilter("ignore")
        self._space, self._value, self._crashed = space, TrialValue, StatusType.CRASHED
        made = ConfigSpace.ConfigurationSpace(seed=seed_for("smac", seed))
        for name, domain in space.params:
            if isinstance(domain, Choice):
                made.add(ConfigSpace.CategoricalHyperparameter(name, list(range(domain.levels))))
            else:
                kind = (
                    ConfigSpace.UniformIntegerHyperparameter
                    if isinstance(domain, Int)
                    else ConfigSpace.UniformFloatHyperparameter
                )
                made.add(kind(name, domain.low, domain.high, log=domain.log))
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            made,
            n_trials=trials,
            deterministic=True,
            seed=seed_for("smac", seed) % 2**31,
            output_directory=self._folder.name,
        )
        self._smac = HyperparameterOptimizationFacade(
            scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=50
        )

    def ask(self):
        info = self._smac.ask()
        return info, _listed(self._space, [info.config[name] for name, _ in self._space.params])

    def tell(self, token, config, loss):
        value = self._value(cost=np.inf, status=self._crashed) if loss is None else self._value(cost=loss)
        self._smac.tell(token, value)


PEERS = {
    "Optuna TPESampler": lambda *run: OptunaSampler(*run, "TPESampler"),
    "Optuna GPSampler": lambda *run: OptunaSampler(*run, "GPSampler"),
    "hyperopt": Hyperopt,
    "bayes_opt": BayesOpt,
    "scikit-optimize": ScikitOptimize,
    "HEBO": Hebo,
    "SMAC": Smac,
}
