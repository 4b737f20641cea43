"""Compiled functions give what Python gives, wherever they come from."""

from wirsung.imaging.compiled import compiled


@compiled
def collatz_steps(number: int) -> int:
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


def test_a_compiled_function_counts_as_python_does():
    assert collatz_steps(27) == 111


def test_a_function_that_cannot_be_kept_on_disk_runs_all_the_same():
    place = {}
    exec("def double(number):\n    return 2 * number", place)  # numba keeps only what comes from a file
    assert compiled(place["double"])(21) == 42
