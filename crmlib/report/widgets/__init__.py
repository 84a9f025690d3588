"""Panels that answer while one asks, in JupyterLab: the only place that knows ipywidgets.

What a panel shows lives in the browser's session alone: nothing of it is written into the notebook.
"""

from crmlib.report.widgets.counter import CounterPanel as CounterPanel
from crmlib.report.widgets.explorer import ExplorerPanel as ExplorerPanel
from crmlib.report.widgets.panel import STAND_IN as STAND_IN
from crmlib.report.widgets.pins import PinPanel as PinPanel
from crmlib.report.widgets.review import ReviewPanel as ReviewPanel
from crmlib.report.widgets.trails import TrailPanel as TrailPanel
from crmlib.report.widgets.what_if import WhatIfPanel as WhatIfPanel
