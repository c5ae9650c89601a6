"""What makes a line of its own."""

from typing import Any

from batchlab_api.plots.arms import arms, point_of


def p(
    batch_size: int = 1, lr: float = 0.1, momentum: float | None = 0.0, variant: str | None = None, **more: Any
) -> Any:
    return {"variant": variant, "batch_size": batch_size, "lr": lr, "momentum": momentum, **more}


def test_one_rate_is_one_line() -> None:
    found = arms([p(1), p(2), p(4)])
    assert (found.colours, found.panels, found.labels) == (("",), ("",), ("",))


def test_a_rate_that_follows_the_batch_size_makes_no_line_of_its_own() -> None:
    assert arms([p(1, 0.1), p(2, 0.2), p(4, 0.4)]).labels == ("",)


def test_rates_at_every_batch_size_are_lines_in_their_order() -> None:
    found = arms([p(b, lr) for b in (1, 2) for lr in (0.5, 0.05)])
    assert found.colours == ("lr 0.05", "lr 0.5")
    assert found.ordered
    assert found.place(p(2, 0.5)) == ("lr 0.5", "")


def test_base_rates_of_a_rule_are_matched_across_batch_sizes() -> None:
    found = arms([p(b, base * b) for b in (1, 2) for base in (0.1, 1.0)])
    assert found.colours == ("lr 0.1 to 0.2", "lr 1 to 2")
    assert found.label(p(2, 0.2)) == "lr 0.1 to 0.2"


def test_variants_take_the_colour_when_they_are_alone_and_keep_their_order() -> None:
    found = arms([p(b, lr, variant=v) for v, lr in (("matched", 0.1), ("control", 0.5)) for b in (1, 2)])
    assert found.colours == ("matched", "control")
    assert not found.ordered


def test_a_second_axis_makes_panels() -> None:
    found = arms([p(1, lr, m, v) for v in ("a", "b") for lr in (0.1, 0.2) for m in (0.0, 0.9)])
    assert found.colours == ("lr 0.1", "lr 0.2")
    assert found.panels == ("momentum 0, a", "momentum 0.9, a", "momentum 0, b", "momentum 0.9, b")
    assert len(found.labels) == 8


def test_further_numbers_of_an_optimizer_are_axes_too() -> None:
    found = arms([p(b, momentum=None, beta2=v) for b in (1, 2) for v in (0.999, 0.9)])
    assert found.colours == ("beta2 0.9", "beta2 0.999")


def test_momenta_sort_with_none_first() -> None:
    found = arms([p(1, momentum=m) for m in (0.9, 0.0, None)])
    assert found.colours == ("momentum none", "momentum 0", "momentum 0.9")


def test_a_cell_s_point_is_the_same_whatever_the_order_of_its_axes() -> None:
    found = arms([p(1, beta1=0.9, beta2=0.1), p(1, beta1=0.8, beta2=0.1)])
    cell = {"params": {"beta2": 0.1, "beta1": 0.8}, "seed": 3, **p(1)}
    assert found.place(point_of(cell)) == ("beta1 0.8", "")


def test_ten_thousand_points_are_sorted_without_comparing_each_with_each() -> None:
    points = [p(b, lr / 100, m / 20) for b in range(1, 26) for lr in range(1, 21) for m in range(20)]
    found = arms(points)
    assert (len(found.colours), len(found.panels)) == (20, 20)


def test_what_the_variant_says_already_makes_no_line_of_its_own() -> None:
    own = {"SGD": 0.0, "momentum": 0.9, "Adam": None}
    found = arms([p(b, momentum=m, variant=v) for v, m in own.items() for b in (1, 2)])
    assert (found.colours, found.panels) == (("SGD", "momentum", "Adam"), ("",))


def test_batch_sizes_that_follow_the_variant_are_not_told_along_the_variants() -> None:
    points = [p(b, variant=v) for v, b in (("small", 1), ("large", 4), ("LARS", 4))]
    assert arms(points, "variant").labels == ("",)
    assert arms(points, "lr").colours == ("batch 1", "batch 4")


def test_variants_with_one_batch_size_each_take_the_colour_over_training() -> None:
    found = arms([p(b, variant=v) for v, b in (("all small", 16), ("half", 320), ("all large", 320))], "")
    assert (found.colours, found.panels, found.ordered) == (("all small", "half", "all large"), ("",), False)
    several = arms([p(b, variant=v) for v in ("a", "b") for b in (1, 4)], "")
    assert (several.colours, several.panels) == (("batch 1", "batch 4"), ("a", "b"))


def test_numbers_that_a_rule_sets_for_each_batch_size_make_no_lines() -> None:
    """Adam's rule moves its betas with the batch: a point's numbers say nothing that its batch size does not."""
    betas = {8: 0.9, 32: 0.6}
    points = [
        {"variant": None, "batch_size": size, "lr": base * size**0.5, "momentum": None, "beta1": beta1}
        for size, beta1 in betas.items()
        for base in (0.001, 0.002)
    ]
    found = arms(points)
    assert len(found.labels) == 2
    assert found.label(points[0]) == found.label(points[2]) != found.label(points[1])
    assert "beta1" not in "".join(found.labels)
