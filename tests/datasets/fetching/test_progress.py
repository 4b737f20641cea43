import io

from rich.console import Console

from wirsung.datasets.fetching.progress import ByteProgress


def test_a_log_gets_a_line_every_half_minute():
    log, now = io.StringIO(), [0.0]
    console = Console(file=log, force_terminal=False)
    with ByteProgress("a.zip", 5000, console=console, clock=lambda: now[0]) as progress:
        for second, done in ((10, 100), (31, 1500), (40, 1600), (62, 4000)):
            now[0] = second
            progress.show(done)
    assert log.getvalue().splitlines() == ["a.zip: 1,500 of 5,000 bytes", "a.zip: 4,000 of 5,000 bytes"]


def test_a_terminal_gets_a_bar():
    shown = io.StringIO()
    with ByteProgress("a.zip", 2000, console=Console(file=shown, force_terminal=True, width=100)) as progress:
        progress.show(2000, 4000)
    assert "a.zip" in shown.getvalue()
    assert "2.0/4.0 kB" in shown.getvalue()
