"""The factors that a study's returns are explained by."""

from typing import Literal

from pydantic import Field

from sd_core.study.parts import Part


class Factors(Part):
    """A file of factor returns, as Kenneth French's data library has them."""

    file: str = Field(description="CSV file; relative to the study's own folder.")
    unit: Literal["percent", "fraction"] = Field(description="What its numbers are.")
