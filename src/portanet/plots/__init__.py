"""Pictures of training, of models and of recorded programs, for matplotlib and as SVG."""

from portanet.listing import listing
from portanet.plots.confusion import confusion_matrix
from portanet.plots.curves import curves
from portanet.plots.histograms import histograms
from portanet.plots.learning_rate import learning_rate_test
from portanet.plots.model_graph import model_graph
from portanet.plots.program_graph import program_graph
from portanet.plots.svg import Svg
from portanet.plots.table import Table, table

__all__ = [
    "Svg",
    "Table",
    "confusion_matrix",
    "curves",
    "histograms",
    "learning_rate_test",
    "model_graph",
    "program_graph",
    "table",
]
__dir__ = listing(__all__)
