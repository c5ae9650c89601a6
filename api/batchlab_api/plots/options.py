"""How a plot is to look: size, resolution, theme. The fields are query parameters of the plot's address."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Column = Literal["one-column", "two-column"]
COLUMNS: dict[Column, int] = {"one-column": 321, "two-column": 661}
"""Width in CSS pixels of one and of two columns of a paper: 8.5 and 17.5 cm at 96 pixels an inch."""


class Options(BaseModel):
    """Size, resolution and theme of a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    width: Column | Annotated[int, Field(ge=240, le=2000)] = "two-column"
    """Of the whole figure: one-column (8.5 cm), two-column (17.5 cm), or CSS pixels."""
    height: Annotated[int, Field(ge=60, le=2000)] | None = None
    """Of a panel's plotting area, in CSS pixels; by default in proportion to its width."""
    scale: Annotated[float, Field(ge=0.5, le=4)] = 2.0
    """Pixels of a PNG for each CSS pixel."""
    bare: bool = False
    """Without title and subtitle, for a page that says the same beside the picture."""
    theme: Literal["light", "dark"] = "light"
    """Light for paper, dark for a dark page."""

    @property
    def pixels(self) -> int:
        """Width of the whole figure in CSS pixels."""
        return self.width if isinstance(self.width, int) else COLUMNS[self.width]

    @property
    def narrow(self) -> bool:
        """Whether a legend beside the panels would take too much of the width."""
        return self.pixels < 480
