"""What all tests share: one hypothesis profile, one Ray where a test asks for it, no usage report."""

import os
import shutil
import sys

import pytest
from hypothesis import HealthCheck, settings

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# A deadline would measure the machine; the same examples each time make a failure repeatable.
settings.register_profile(
    "fivefold",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=100,
)
settings.load_profile("fivefold")
pytest.register_assert_rewrite("runner.testing")


def pytest_collection_modifyitems(items):
    """All tests with Ray in one process, one after the other: two Rays are too much for two cores."""
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(autouse=True)
def no_module_of_an_earlier_test(tmp_path_factory):
    """Forget modules of temporary folders: another test may have one of the same name."""
    before = set(sys.modules)
    yield
    base = str(tmp_path_factory.getbasetemp())
    for name in sys.modules.keys() - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(base):
            del sys.modules[name]


@pytest.fixture(scope="session")
def ray_workers():
    """Ray with two workers, for all tests that need it in this process; each connects to it again."""
    from runner.engine.ray.connect import _connected
    from runner.study.resources import Needs

    with _connected(2, None, Needs()) as connection:
        yield connection


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; without one the tests are skipped, but not in CI."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        reason = "no Chromium here; on Debian: apt-get install chromium"
        if os.environ.get("FIVEFOLD_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its sandbox refuses to run as root, as in most containers; it only sees pages made here.
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()
