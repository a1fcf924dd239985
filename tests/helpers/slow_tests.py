"""A test that takes long says why: ``@pytest.mark.slow("starts two nodes")``; one that does not is named at the end.

No test fails because it took long: Hypothesis would want each example within 0.2 s, which a busy machine does not give.
"""

import pytest
from hypothesis import HealthCheck, settings

LIMIT_S = 20

settings.register_profile("unhurried", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("unhurried")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that took long and do not say why; no failure, since a busy machine makes every test slow."""
    reports = [report for several in terminalreporter.stats.values() for report in several]
    if lines := unexplained([report for report in reports if isinstance(report, pytest.TestReport)]):
        terminalreporter.section(
            f'longer than {LIMIT_S} s without a reason: make it quicker, or @pytest.mark.slow("...")'
        )
        terminalreporter.write_line("\n".join(lines))


def unexplained(reports: list[pytest.TestReport]) -> list[str]:
    """Return a line for each call, without fixtures, that was too long and is not marked."""
    late = [r for r in reports if r.when == "call" and r.duration > LIMIT_S and "slow" not in r.keywords]
    return [f"{r.duration:.1f} s  {r.nodeid}" for r in sorted(late, key=lambda r: -r.duration)]


def silent(items: list[pytest.Item]) -> list[str]:
    """Return which tests are marked without a reason."""
    return [item.nodeid for item in items for mark in item.iter_markers("slow") if not _says_why(mark.args)]


def _says_why(arguments: tuple[object, ...]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], str) and bool(arguments[0].strip())
