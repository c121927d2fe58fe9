"""One study with its page, for all tests of this folder."""

import pytest

from runner.report import make_page
from tests.report.studies import comparison


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    return comparison(tmp_path_factory.mktemp("study") / "compared")


@pytest.fixture(scope="session")
def page(results):
    return make_page(results)
