"""Select one of four classifiers and its hyper-parameters in one space, on breast cancer."""

import warnings

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from runner import Choice, Float, Int, problem
from runner.problems import seed_for

MODELS = Choice(
    {
        "logistic": {"C": Float(1e-3, 1e3, log=True)},
        "svm": {"C": Float(2**-5, 2**15, log=True), "gamma": Float(2**-15, 2**3, log=True)},
        "forest": {"max_features": Float(0.1, 0.9), "min_samples_leaf": Int(1, 20)},
        "boosting": {
            "learning_rate": Float(0.01, 1.0, log=True),
            "max_leaf_nodes": Int(3, 31, log=True),
            "l2_regularization": Float(1e-10, 1.0, log=True),
        },
    }
)


def build(config, seed):
    """Build the pipeline of a config; parameters have scikit-learn's names."""
    params = {name: value for name, value in config.items() if name != "model"}
    state = seed_for(seed, "model")
    if config["model"] == "logistic":
        model = LogisticRegression(max_iter=1000, **params)
    elif config["model"] == "svm":
        model = SVC(**params)
    elif config["model"] == "forest":
        model = RandomForestClassifier(n_estimators=50, random_state=state, **params)
    else:
        model = HistGradientBoostingClassifier(max_iter=50, random_state=state, **params)
    return make_pipeline(StandardScaler(), model)


@problem(
    space={"model": MODELS},
    direction="maximize",
    metric="roc_auc",
    default={"model": "logistic", "C": 1.0},
    steps=5,
)
def models(config, seed):
    """Yield the area under the curve in cross-validation, fold by fold; at the end also on held-out rows."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=seed_for(seed, "test")
    )
    score, scores = get_scorer("roc_auc"), []
    cut = StratifiedKFold(5, shuffle=True, random_state=seed_for(seed, "split"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for train, held in cut.split(X, y):
            scores.append(score(build(config, seed).fit(X[train], y[train]), X[held], y[held]))
            answer = {"roc_auc": sum(scores) / len(scores), "folds": list(scores)}
            if len(scores) == 5:
                answer["test"] = score(build(config, seed).fit(X, y), X_test, y_test)
            yield answer
