"""How large a paired difference is, beside how sure: effect sizes that don't depend on the unit."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def cohens_dz(differences: NDArray[np.float64]) -> float:
    """Mean difference over the differences' standard deviation; 0.2 is called small, 0.8 large.

    0 where all are zero; NaN for one difference, or where all are alike but not zero.

    Source:
        Cohen, Statistical power analysis, 1988, section 2.3.5 (d with subscript z).

    Example:
        >>> cohens_dz(np.array([1.0, 2.0, 3.0]))
        2.0
    """
    if differences.size and not differences.any():
        return 0.0
    if differences.size < 2 or np.ptp(differences) == 0:
        return math.nan
    return float(differences.mean() / differences.std(ddof=1))


def rank_biserial(differences: NDArray[np.float64]) -> float:
    """Matched-pairs rank-biserial correlation, -1 (all lower) to 1 (all higher); zeros are dropped.

    (W+ - W-) / (W+ + W-) over the ranks of the absolute differences, as in Wilcoxon's test; 0 where all are
    zero, NaN of nothing.

    Source:
        Kerby, Compr Psychol 2014.

    Example:
        >>> rank_biserial(np.array([1.0, 2.0, -3.0, 0.0]))
        0.0
    """
    if not differences.size:
        return math.nan
    kept = differences[differences != 0]
    if not kept.size:
        return 0.0
    ranks = stats.rankdata(np.abs(kept))
    return float((ranks * np.sign(kept)).sum() / ranks.sum())
