import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.copula import counts_of, draw, fit, nearest_correlation, rank_correlation
from pointkd.datasets.synthetic_aerial.measure import COUNT_LEVELS, LEVELS
from pointkd.datasets.synthetic_aerial.statistics import load

ROWS = 6000
TABLE = np.tile(np.interp(COUNT_LEVELS, [0.0, 1.0], [1.0, 11.0]), (10, 1))


def test_counts_follow_their_margin():
    present = np.linspace(0.1, 1.0, 10)
    uniform = np.random.default_rng(0).random((ROWS, 10))
    counts = counts_of(uniform, present, TABLE)
    assert (counts > 0).mean(axis=0) == pytest.approx(present, abs=0.03)
    for column in counts.T:
        shown = column[column > 0]
        assert np.median(shown) == pytest.approx(6.0, abs=1.0)
        assert shown.max() <= 11


def test_counts_grow_with_the_uniform_variable():
    levels = np.repeat(np.linspace(0, 1, 200)[:, None], 10, axis=1)
    assert (np.diff(counts_of(levels, np.full(10, 0.6), TABLE), axis=0) >= 0).all()


def test_no_row_is_empty():
    statistics = load()
    counts, level = draw(
        np.random.default_rng(0), statistics.correlation, statistics.present, statistics.quantiles, 500
    )
    assert (counts.sum(axis=1) > 0).all()
    assert ((level > 0) & (level < 1)).all()


def test_the_committed_parameters_give_the_measured_sets():
    """Drawn counts show the classes, and classes together, as often as the annotations they were fitted to."""
    statistics = load()
    counts, level = draw(
        np.random.default_rng(1), statistics.correlation, statistics.present, statistics.quantiles, ROWS
    )
    shown = counts > 0
    measured = statistics.measured
    assert shown.mean(axis=0) == pytest.approx(list(measured['present'].values()), abs=0.025)
    share = counts.sum(axis=0) / counts.sum()
    assert share == pytest.approx(list(measured['class_share'].values()), abs=0.03)
    together = shown.T.astype(float) @ shown / shown.sum(axis=0)[:, None]
    assert together == pytest.approx(np.array(list(measured['together'].values())), abs=0.15)
    total = np.quantile(counts.sum(axis=1), COUNT_LEVELS)
    assert total[3:8] == pytest.approx(measured['total'][3:8], rel=0.2)
    scale = np.interp(level, LEVELS, statistics.scale)
    assert np.quantile(scale, LEVELS) == pytest.approx(measured['scale'], rel=0.12)


def test_fit_recovers_what_it_is_given():
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(11, 4))
    correlation = nearest_correlation(np.corrcoef(factors @ factors.T + np.diag(rng.uniform(2, 4, 11))))
    present = rng.uniform(0.3, 0.8, 10)
    counts, level = draw(rng, correlation, present, TABLE, ROWS)
    fitted, share, _ = fit(counts, level, (counts > 0).mean(axis=0), TABLE)
    again, new_level = draw(rng, fitted, share, TABLE, ROWS)
    found, wanted = (rank_correlation(np.column_stack(pair)) for pair in ((again, new_level), (counts, level)))
    assert found == pytest.approx(wanted, abs=0.06)
    assert (again > 0).mean(axis=0) == pytest.approx((counts > 0).mean(axis=0), abs=0.03)


def test_nearest_correlation_is_one():
    rng = np.random.default_rng(3)
    noisy = rng.uniform(-1, 1, (6, 6))
    fixed = nearest_correlation(noisy + noisy.T)
    assert np.diag(fixed) == pytest.approx(np.ones(6))
    assert np.linalg.eigvalsh(fixed).min() > 0
    plain = np.array([[1.0, 0.4], [0.4, 1.0]])
    assert nearest_correlation(plain) == pytest.approx(plain)
