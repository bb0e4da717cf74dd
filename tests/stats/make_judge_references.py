"""Makes judge_references.json, where scikit-learn, statsmodels, krippendorff and ppi-python are installed (they are no
dependency): python tests/stats/make_judge_references.py > tests/stats/judge_references.json"""

import json
from importlib.metadata import version

import krippendorff
import numpy as np
import ppi_py
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa


def agreement(rng, k, n):
    a = rng.integers(0, k, n)
    b = np.where(rng.random(n) < 0.7, a, rng.integers(0, k, n))
    table = np.zeros((k, k), int)
    np.add.at(table, (a, b), 1)
    both = [a.tolist(), b.tolist()]
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "k": k,
        "cohen_kappa": float(cohen_kappa_score(a, b)),
        "quadratic_kappa": float(cohen_kappa_score(a, b, weights="quadratic")),
        "statsmodels_kappa": float(cohens_kappa(table).kappa),
        "krippendorff_alpha": float(krippendorff.alpha(both, level_of_measurement="nominal")),
    }


def alpha(rng, raters, n, values):
    base = rng.integers(0, values, n)
    ratings = np.where(rng.random((raters, n)) < 0.6, base, rng.integers(0, values, (raters, n))).astype(float)
    ratings[rng.random((raters, n)) < 0.2] = np.nan
    levels = ("nominal", "interval")
    found = {level: float(krippendorff.alpha(ratings, level_of_measurement=level)) for level in levels}
    return {"ratings": [[None if np.isnan(x) else x for x in row] for row in ratings], **found}


def ppi(rng, n, others):
    y = (rng.random(n + others) < 0.3).astype(float)
    f = np.clip(y * 0.6 + rng.normal(0.2, 0.2, n + others), 0, 1)
    parts = y[:n], f[:n], f[n:]
    tuned = [ppi_py.ppi_mean_pointestimate(*parts), *ppi_py.ppi_mean_ci(*parts, alpha=0.05)]
    plain = ppi_py.ppi_mean_ci(*parts, alpha=0.1, lam=1)
    numbers = {"tuned": tuned, "plain_90": plain}
    return {
        **{name: part.tolist() for name, part in zip("yfg", parts, strict=True)},
        **{name: [float(np.squeeze(x)) for x in found] for name, found in numbers.items()},
    }


if __name__ == "__main__":
    rng = np.random.default_rng(20260101)
    made_with = {name: version(name) for name in ("scikit-learn", "statsmodels", "krippendorff", "ppi-python")}
    sizes = ((2, 40), (2, 300), (4, 120), (5, 60))
    found = {
        "made_with": made_with,
        "agreement": [agreement(rng, *size) for size in sizes],
        "alpha": [alpha(rng, *size) for size in ((3, 30, 4), (5, 50, 6))],
        "ppi": [ppi(rng, *size) for size in ((60, 400), (200, 1000))],
    }
    print(json.dumps(found))
