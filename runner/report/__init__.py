"""One self-contained page about a study, with its figures and tables as files."""

from runner.report.files import write_report
from runner.report.page import Page, make_page, waiting_page

__all__ = ["Page", "make_page", "waiting_page", "write_report"]
