"""Search a perceptron's architecture and training in one space; widths are conditional on the depth."""

import warnings

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from runner import Choice, Float, Int, problem
from runner.problems import seed_for

DEEPEST = 3


def layers(depth):
    """Return the widths of the given number of layers."""
    return {f"width_{i}": Int(8, 128, log=True) for i in range(1, depth + 1)}


@problem(
    space={
        "depth": Choice({depth: layers(depth) for depth in range(1, DEEPEST + 1)}),
        "activation": Choice(["tanh", "relu"]),
        "alpha": Float(1e-5, 1.0, log=True),
        "learning_rate_init": Float(1e-4, 0.1, log=True),
    },
    direction="maximize",
    metric="accuracy",
    default={"depth": 1, "width_1": 100, "activation": "relu", "alpha": 1e-4, "learning_rate_init": 1e-3},
    steps=3,
)
def digits(config, seed):
    """Yield the accuracy in cross-validation, fold by fold; at the end also on held-out digits."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=seed_for(seed, "test")
    )
    model = make_pipeline(
        StandardScaler(),
        MLPClassifier(
            hidden_layer_sizes=tuple(config[f"width_{i}"] for i in range(1, config["depth"] + 1)),
            activation=config["activation"],
            alpha=config["alpha"],
            learning_rate_init=config["learning_rate_init"],
            max_iter=10,
            random_state=seed_for(seed, "model"),
        ),
    )
    cut, scores = StratifiedKFold(3, shuffle=True, random_state=seed_for(seed, "split")), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 10 epochs need not converge
        for train, held in cut.split(X, y):
            scores.append(model.fit(X[train], y[train]).score(X[held], y[held]))
            answer = {"accuracy": sum(scores) / len(scores), "folds": list(scores)}
            if len(scores) == 3:
                answer["test"] = model.fit(X, y).score(X_test, y_test)
            yield answer
