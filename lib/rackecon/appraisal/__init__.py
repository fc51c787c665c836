"""Appraisal: one question (who, what model, which traffic, at which money) to one row of answers."""
