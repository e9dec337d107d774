"""scikit-learn: a pipeline's steps are fitted once for each fold, whatever the later steps' parameters, in all workers.

    python grid_search.py      # run it twice; then edit `Smooth.transform`, and a comment in it
"""

import sys

import numpy as np
from ndcache import Memory
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

memory = Memory(sys.argv[1] if len(sys.argv) > 1 else "cache", verbose=0)


def box(images, width):
    """A helper of the transformer: editing it fits the steps anew."""
    kernel = np.ones(width) / width
    return np.apply_along_axis(lambda row: np.convolve(row, kernel, mode="same"), -1, images)


class Smooth(BaseEstimator, TransformerMixin):
    """Smooths the rows of images, and scales them by what was fitted."""

    def __init__(self, width=3):
        self.width = width

    def fit(self, X, y=None):
        print(f"fitting width {self.width}", flush=True)
        self.scale_ = X.std() or 1.0
        return self

    def transform(self, X):
        # comments don't count
        return (box(X.reshape(-1, 8, 8), self.width) / self.scale_).reshape(len(X), -1)


if __name__ == "__main__":
    X, y = load_digits(return_X_y=True)
    pipeline = Pipeline([("smooth", Smooth()), ("model", LogisticRegression(max_iter=50))], memory=memory)
    grid = {"smooth__width": [1, 3], "model__C": [0.01, 0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X[:600], y[:600])
    print(f"best: {search.best_params_}, {search.best_score_:.3f}")
    print(f"{len(memory.entries())} fits are stored")
