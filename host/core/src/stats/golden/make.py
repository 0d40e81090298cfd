"""Golden values for difftest_core::stats, from SciPy and statsmodels. Prints golden.json.

    python -m venv v && v/bin/pip install scipy statsmodels && v/bin/python make.py > golden.json
"""

import json

import numpy
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

random = numpy.random.default_rng(20)


def one_sided(values):
    t = stats.ttest_1samp(values, 0.0)
    interval = t.confidence_interval(0.90)
    return [float(interval.low), float(interval.high)]


def two_sided(values):
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    return [float(interval.low), float(interval.high)]


def exact_p(values):
    test = stats.permutation_test(
        (values,), numpy.mean, permutation_type="samples", alternative="less", n_resamples=numpy.inf
    )
    return float(test.pvalue)


samples = [random.normal(-0.01, 0.05, n).round(4) for n in (2, 3, 5, 8, 12, 16)]
longer = random.normal(-0.008, 0.03, 40).round(4)
monte_carlo = stats.permutation_test(
    (longer,), numpy.mean, permutation_type="samples", alternative="less", n_resamples=400_000, rng=1
)
ps = [[0.01, 0.04, 0.03, 0.005], [0.2, 0.9, 0.6], [0.0125, 0.0125, 0.05, 0.6, 0.02]]
power = TTestPower()
print(
    json.dumps(
        {
            "versions": {
                "numpy": numpy.__version__,
                "scipy": scipy.__version__,
                "statsmodels": statsmodels.__version__,
            },
            "student": [
                {"values": v.tolist(), "one_sided_95": one_sided(v), "two_sided_95": two_sided(v)} for v in samples
            ],
            "sign_flip": [{"values": v.tolist(), "p": exact_p(v)} for v in samples],
            "sign_flip_many": {"values": longer.tolist(), "p": float(monte_carlo.pvalue)},
            "wilson": [
                {"k": k, "n": n, "one_sided_95": [float(x) for x in proportion_confint(k, n, 0.10, "wilson")]}
                for k, n in [(0, 10), (9, 10), (10, 10), (43, 50), (95, 100), (700, 1000)]
            ],
            "holm": [{"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()} for p in ps],
            # the exact, noncentral answer
            "needed": [
                {"effect": d, "n": float(power.solve_power(effect_size=d, alpha=0.05, power=0.8, alternative="larger"))}
                for d in (2.0, 1.5, 1.0, 0.5, 0.3, 0.2, 0.1)
            ],
            "detectable": [
                {"n": n, "effect": float(power.solve_power(nobs=n, alpha=0.05, power=0.8, alternative="larger"))}
                for n in (4, 5, 6, 8, 12, 24, 60, 200)
            ],
        },
        indent=1,
    )
)
