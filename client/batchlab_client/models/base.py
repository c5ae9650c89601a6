"""What the answers share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Number = float | None
"""A number; None where it is not finite or does not exist."""
Status = Literal["queued", "running", "stalled", "paused", "succeeded", "failed", "cancelled"]
CellStatus = Literal["queued", "running", "succeeded", "diverged", "failed", "cancelled"]
Links = dict[str, str]


class Model(BaseModel):
    """What the models share: docstrings of fields are their descriptions in the OpenAPI document."""

    model_config = ConfigDict(use_attribute_docstrings=True)
