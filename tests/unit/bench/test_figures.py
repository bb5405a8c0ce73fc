import pytest

from bench.figures import Result, exponent, latencies, percentile


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (99, 10), (10, 1), (91, 10), (0, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, expected: int) -> None:
    assert percentile(range(1, 11), percent) == expected


def test_latencies_are_told_in_milliseconds() -> None:
    assert latencies([0.001, 0.002, 0.004]) == {"p50_ms": 2.0, "p99_ms": 4.0, "max_ms": 4.0}


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_tells_how_time_grows_with_size(power: float) -> None:
    seconds = {size: 3.0 * share**power for size, share in {"1/16": 1, "1/4": 4, "1": 16}.items()}

    assert exponent(seconds) == pytest.approx(power)


def test_what_does_not_apply_is_left_out() -> None:
    assert Result(value=12.3456, unit="s", runs=[1.0]).to_json() == {
        "value": 12.346,
        "unit": "s",
        "runs": [1.0],
    }
