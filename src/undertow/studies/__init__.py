"""Studies: a grid of domains, interventions, shares and seeds in; a model trained and audited for every cell; one table
and a scorecard out."""

from undertow.studies.cells import Cell, Grid, lay_out, plan_study
from undertow.studies.results import gather, write_results
from undertow.studies.run import run_study, unfinished, work_through
from undertow.studies.study import Study, read_study, shipped_studies

__all__ = [
    "Cell",
    "Grid",
    "Study",
    "gather",
    "lay_out",
    "plan_study",
    "read_study",
    "run_study",
    "shipped_studies",
    "unfinished",
    "work_through",
    "write_results",
]
