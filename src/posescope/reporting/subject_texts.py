"""Sections of the report with the words of other subjects than persons, such as mice."""

from dataclasses import replace

from posescope.reporting.plots.plot_words import map_plot_texts
from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.subject_words import PERSONS, SubjectWords

__all__ = ["adapt_section"]


def adapt_section(section: Section, subject: SubjectWords) -> Section:
    """Return a section whose texts, captions and plots are on these subjects; its tables keep the names of their columns.

    Args:
        section: a section on persons. Its findings are on the subjects already.
        subject: words for the subjects.
    """
    if subject == PERSONS:
        return section
    return replace(
        section,
        text=subject.adapt(section.text),
        numbers=subject.adapt(section.numbers),
        headlines=tuple(replace(headline, note=subject.adapt(headline.note)) for headline in section.headlines),
        facts=tuple(replace(fact, name=subject.adapt(fact.name), value=subject.adapt(fact.value)) for fact in section.facts),
        images=tuple(_adapt_image(image, subject) for image in section.images),
        plots=tuple(_adapt_plot(plot, subject) for plot in section.plots),
        tables=tuple(_adapt_table(table, subject) for table in section.tables),
    )


def _adapt_image(image: ReportImage, subject: SubjectWords) -> ReportImage:
    return replace(image, caption=subject.adapt(image.caption), alt=subject.adapt(image.alt))


def _adapt_plot(plot: ReportPlot, subject: SubjectWords) -> ReportPlot:
    figure = map_plot_texts(plot.figure, subject.adapt)
    return replace(plot, figure=figure, caption=subject.adapt(plot.caption), alt=subject.adapt(plot.alt))


def _adapt_table(table: ReportTable, subject: SubjectWords) -> ReportTable:
    return replace(table, title=subject.adapt(table.title), caption=subject.adapt(table.caption))
