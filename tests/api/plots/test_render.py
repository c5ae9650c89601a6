"""Charts as files: what they are, that they need no network, and that threads may render at once."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest
from batchlab_api.draw import VEGA_LITE, draw_apart
from batchlab_api.plots import FORMATS, PLOTS, Format, Options, PlotTooLarge, render
from batchlab_api.plots.render import MAX_VALUES
from pydantic import ValidationError

Make = Callable[..., Any]
STARTS: dict[Format, bytes] = {
    "svg": b"<svg",
    "png": b"\x89PNG\r\n\x1a\n",
    "pdf": b"%PDF-",
    "html": b"<!DOCTYPE html>",
    "json": b"{",
}


def draw(source: Any, format: Format, name: str = "loss-curves", **options: Any) -> bytes:
    plot, asked = PLOTS[name], Options(**options)
    return render(plot.chart(plot.numbers(source), asked), format, asked)[0]


def _without_ids(svg: bytes) -> bytes:
    """The renderer numbers clip paths on from one picture to the next."""
    return re.sub(rb"(?<=clip)\d+", b"", svg)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_what_it_says(format: Format, source: Make) -> None:
    plot = PLOTS["grad-norm-vs-batch"]
    data, media_type = render(plot.chart(plot.numbers(source()), Options()), format, Options())
    assert data.startswith(STARTS[format])
    assert media_type.split("/")[0] in ("image", "application", "text")
    assert set(STARTS) == set(get_args(Format))


def test_json_is_vega_lite_of_the_renderer_s_version(source: Make) -> None:
    spec = json.loads(draw(source(), "json"))
    assert f"/v{VEGA_LITE}" in spec["$schema"]
    assert spec["config"]["background"] == "#ffffff"


def test_a_png_has_scale_pixels_for_each_css_pixel(source: Make) -> None:
    sizes = {scale: int.from_bytes(draw(source(), "png", scale=scale)[16:20], "big") for scale in (1, 2, 3)}
    assert sizes[2] == pytest.approx(2 * sizes[1], abs=2)
    assert sizes[3] == pytest.approx(3 * sizes[1], abs=3)


def test_dark_pictures_are_dark(source: Make) -> None:
    assert "#16181d" in draw(source(), "svg", theme="dark").decode()
    assert "#16181d" not in draw(source(), "svg").decode()


def test_the_page_asks_for_nothing(source: Make) -> None:
    page = draw(source(), "html").decode()
    markup = re.sub(r"(<script>).*?(</script>)", r"\1\2", page, flags=re.DOTALL)
    assert not re.search(r"src=|href=|@import|url\(", markup)
    assert "default-src 'none'" in markup
    assert "vegaEmbed(" in page


def test_a_name_cannot_end_the_page_s_script(source: Make) -> None:
    made = source()
    made.experiment["name"] = "</script><script>alert(1)</script>"
    page = draw(made, "html").decode()
    assert page.count("</script") == 2
    assert "<script>alert" not in page


def test_chinese_has_a_typeface_of_its_own(source: Make) -> None:
    made = source()
    assert "CJK" not in draw(made, "svg").decode()
    made.experiment["name"] = "学习率与批大小"
    assert "Noto Sans CJK SC" in draw(made, "svg").decode()


def test_threads_render_at_once_what_they_render_alone(source: Make, series: Make) -> None:
    sources = [source(series=[series(b) for b in range(1, 2 + n)]) for n in range(8)]
    alone = [_without_ids(draw(made, "svg")) for made in sources]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda made: _without_ids(draw(made, "svg")), sources)) == alone


def test_a_plot_with_too_much_data_is_refused_with_the_numbers(source: Make, series: Make) -> None:
    long = {k: [1.0] * MAX_VALUES for k in ("x", "mean", "min", "max")}
    with pytest.raises(PlotTooLarge, match=f"at most {MAX_VALUES}"):
        draw(source(series=[series(**long)]), "svg")


def test_a_process_of_its_own_draws_the_same_picture_each_time(source: Make) -> None:
    plot = PLOTS["loss-curves"]
    drawn = plot.chart(plot.numbers(source()), Options())
    first, second = (render(drawn, "svg", Options(), draw_apart)[0] for _ in range(2))
    assert first == second
    assert _without_ids(first) == _without_ids(draw(source(), "svg"))


@pytest.mark.parametrize(
    "wrong", [{"width": "wide"}, {"width": 10}, {"height": 5000}, {"scale": 9}, {"theme": "blue"}, {"colour": "red"}]
)
def test_an_option_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options(**wrong)


def test_options_are_read_from_an_address() -> None:
    asked = Options.model_validate({"width": "480", "height": "200", "scale": "1.5", "theme": "dark"})
    assert (asked.pixels, asked.height, asked.scale) == (480, 200, 1.5)
    assert Options.model_validate({"width": "one-column"}).pixels == 321
