"""Is one strategy better than another, or one forecaster more accurate, by more than chance?"""

from regime_nas_pipeline.verdict.comparison.diebold_mariano import AccuracyTest, diebold_mariano
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import RobustSharpeTest, ledoit_wolf
from regime_nas_pipeline.verdict.comparison.superior import superior_strategies
from regime_nas_pipeline.verdict.comparison.table import ForecastLosses, comparison_table
from regime_nas_pipeline.verdict.comparison.words import comparison_words

__all__ = [
    "AccuracyTest",
    "ForecastLosses",
    "RobustSharpeTest",
    "comparison_table",
    "comparison_words",
    "diebold_mariano",
    "ledoit_wolf",
    "superior_strategies",
]
