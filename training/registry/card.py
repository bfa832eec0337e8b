"""The card of a model version: its origin and its results."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Kind = Literal["base", "starter", "domain", "night"]


class Card(BaseModel):
    """Origin and results of a version: `card.json` in its folder."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    kind: Kind
    base: str
    created_at: AwareDatetime
    parent: str | None = None  # the version it was fine-tuned from
    champion: str | None = None  # the champion when it was made; a rollback returns to it
    run_id: Annotated[int, Field(ge=0, lt=2**63)] | None = None  # as the database holds it
    recipe: str = ""
    precision: str = "fp32"
    quantization: dict[str, Any] | None = None  # how the int8 graph was made
    retraining_set_hash: str | None = None
    as_of: AwareDatetime | None = None
    settings: dict[str, Any] = {}
    libraries: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    verdict: dict[str, Any] = {}
    files: dict[str, str] = {}  # name → sha256
