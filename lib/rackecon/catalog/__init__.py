"""Typed, immutable records read from data/, and the tables themselves."""

from rackecon.catalog.accelerators import Accelerator, Rack, accelerator, accelerators, rack, racks
from rackecon.catalog.labels import label, labels, relabelled
from rackecon.catalog.models import Model, model, models
from rackecon.catalog.paths import data_dir, read_rows, table_digest, table_names
from rackecon.catalog.scenarios import BaseCase, CaseTerms, Scenario, as_scenario, base_case, scenario, scenarios
from rackecon.catalog.tables import dictionary, table

__all__ = [
    "Accelerator",
    "BaseCase",
    "CaseTerms",
    "Model",
    "Rack",
    "Scenario",
    "accelerator",
    "accelerators",
    "as_scenario",
    "base_case",
    "data_dir",
    "dictionary",
    "label",
    "labels",
    "model",
    "models",
    "rack",
    "racks",
    "read_rows",
    "relabelled",
    "scenario",
    "scenarios",
    "table",
    "table_digest",
    "table_names",
]
