"""The pages of a run: the summary, and the report that begins with it."""

from posescope.reporting.html_page import render_report, render_summary
from posescope.reporting.report_assembly import assemble_report
from posescope.reporting.report_inputs import ReportInputs
from posescope.reporting.summary.summary_assembly import assemble_summary

__all__ = ["write_pages"]


def write_pages(inputs: ReportInputs) -> dict[str, str]:
    """Return the HTML of `summary` and `report`; they stand in one folder, since the summary links to the report."""
    summary = assemble_summary(inputs)
    return {"summary": render_summary(summary), "report": render_report(assemble_report(inputs, summary))}
