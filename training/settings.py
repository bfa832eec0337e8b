"""Settings of the training side, and the hyper-parameters with unit, range and source.

`Settings` adds what training needs to those of the database; `bot.settings` adds the bot's own to it.
"""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

import storage.settings
from storage.paths import expanded_folder
from training import locations

Precision = Literal["auto", "fp32"]
DEFAULT_BASE_MODEL = "distilbert-base-uncased"
ON_THE_CLUSTER = "auto"  # as Ray calls the cluster that a process finds itself on


class Settings(storage.settings.Settings):
    """What both processes need to know. Frozen; build it once, in `main()`."""

    discord_token: SecretStr | None = Field(
        default=None,
        alias="DISCORD_TOKEN",
        description="The bot's token from the Discord developer portal. Empty: the sandbox on this machine.",
    )
    base_model: str = Field(
        default=DEFAULT_BASE_MODEL,
        description="The masked language model to start from: a folder, or a BERT or DistilBERT on the hub.",
    )
    data_dir: Path | None = Field(
        default=None,
        description="Folder of the team's CSV files for the domain model; none: generated text alone.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where runs train: auto (GPU when there is one), cpu, cuda."
    )
    precision: Precision = Field(
        default="auto",
        description="Numbers that versions serve with: auto (int8 where it answers as fp32 does), fp32.",
    )
    min_judgements: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Judgements below which a run is skipped. Empty: 1 in the sandbox, 20 on Discord.",
    )
    min_voters: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Voters a word needs before it counts. Empty: 1 in the sandbox, 2 on Discord.",
    )
    shown_words: int = Field(
        default=5,
        ge=3,
        le=10,
        description="Words shown for each mask, 3 to 10; nightly runs are judged by them. A menu in Discord "
        "has at most 25 options for all masks together, so a reply shows at most 8 words for each of three "
        "masks, 6 for each of four and 5 for each of five. A suggested word needs a free option.",
    )
    vote_half_life_days: float = Field(
        default=90.0, ge=1, le=36_500, description="Days after which a vote counts half."
    )
    models_url: str | None = Field(
        default=None,
        description="Storage that several machines share versions on: s3://bucket/folder, or the path of a "
        "mounted folder. It needs FILLBOT_DATABASE_URL=postgresql://…, which says what is there. Empty: this "
        "machine's alone, in FILLBOT_HOME.",
    )
    keep_versions: int = Field(
        default=7,
        ge=1,
        le=10_000,
        description="Newest model versions kept, beside the champion, the previous one and the domain model.",
    )
    ray_address: str | None = Field(
        default=None,
        description="Where Ray takes jobs, such as http://head:8265: runs train there. Empty: on this "
        "machine. auto: on the cluster that this machine is a node of.",
    )
    ray_workers: int = Field(
        default=1, ge=1, le=1_000, description="Workers that share a run's training on Ray."
    )
    ray_wait_s: float = Field(
        default=600.0,
        gt=0,
        le=86_400,
        description="Seconds that a run on Ray waits for its workers, free or silent ones, before it fails.",
    )

    replicas_min: int = Field(
        default=2, ge=1, le=1000, description="Replicas of the service that run at all times."
    )
    replicas_max: int = Field(
        default=8, ge=1, le=1000, description="Replicas of the service at most, under load."
    )
    replica_requests: float = Field(
        default=4,
        gt=0,
        le=100,
        description="Requests a replica has at once, on average, above which another one is started.",
    )
    replica_cpus: int = Field(
        default=1, ge=1, le=64, description="Processors of a replica: threads that its model computes in."
    )

    @field_validator("data_dir", mode="before")
    @classmethod
    def _whole_data_dir(cls, value: Any) -> Any:
        return expanded_folder(value) if isinstance(value, str) else value

    @field_validator("base_model")
    @classmethod
    def _folder_or_name(cls, value: str) -> str:
        return locations.base_model(value)

    @field_validator("device", "precision", mode="before")
    @classmethod
    def _in_small_letters(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("models_url")
    @classmethod
    def _folder_or_bucket(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        url = locations.shared(value)
        if "database_url" in info.data and not _has_server(info):
            raise ValueError(
                "shared models need FILLBOT_DATABASE_URL=postgresql://user:password@host/name: the database "
                "says which versions exist and which one serves"
            )
        return url

    @field_validator("ray_address")
    @classmethod
    def _reaches_what_a_run_needs(cls, address: str | None, info: ValidationInfo) -> str | None:
        """A run elsewhere needs votes and models that it reaches from there."""
        if address is None or address == ON_THE_CLUSTER:
            return address
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or not locations.has_port(parts):
            raise ValueError("expected an address such as http://head:8265, or auto")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("expected an address without a name, a password, ? or #")
        if locations.is_loopback(parts.hostname):
            return address
        if not _has_server(info):
            raise ValueError(
                "a run on another machine needs FILLBOT_DATABASE_URL=postgresql+asyncpg://…: it reads the "
                "votes from there"
            )
        if "models_url" in info.data and not info.data["models_url"]:
            raise ValueError(
                "a run on another machine needs FILLBOT_MODELS_URL: it brings the new version there"
            )
        return address

    def missing(self) -> str | None:
        """Folders that are to be read must be there."""
        if self.data_dir is not None and not self.data_dir.is_dir():
            return f"FILLBOT_DATA_DIR: there is no folder {self.data_dir}"
        return locations.missing_base(self.base_model)

    @property
    def submits_runs(self) -> bool:
        """Whether runs are jobs for a cluster elsewhere."""
        return self.ray_address not in (None, ON_THE_CLUSTER)

    @property
    def is_on_cluster(self) -> bool:
        """Whether runs of this process share their training among workers."""
        return self.ray_address == ON_THE_CLUSTER

    @model_validator(mode="after")
    def _replicas_in_order(self) -> "Settings":
        if self.replicas_min > self.replicas_max:
            raise ValueError("FILLBOT_REPLICAS_MIN must not be above FILLBOT_REPLICAS_MAX")
        return self

    @property
    def in_sandbox(self) -> bool:
        """Whether the app runs beside its own Discord-compatible server."""
        return self.discord_token is None

    @property
    def needed_judgements(self) -> int:
        """`min_judgements` with its default filled in."""
        return self.min_judgements or (1 if self.in_sandbox else 20)

    @property
    def needed_voters(self) -> int:
        """`min_voters` with its default filled in."""
        return self.min_voters or (1 if self.in_sandbox else 2)

    @property
    def models_dir(self) -> Path:
        """Folder of the registry."""
        return self.home / "models"


def _has_server(info: ValidationInfo) -> bool:
    """Whether the database is a server that several machines reach."""
    return (info.data.get("database_url") or "").startswith("postgresql")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NightSettings(_Frozen):
    """Fine-tuning on judgements. Recorded in every card."""

    seed: int = Field(default=0, description="Seed of batches, replay and dropout.")
    learning_rate: float = Field(default=1e-4, gt=0, le=1e-2, description="Peak of AdamW at hidden size 768.")
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="On matrices only (nanoGPT's habit).")
    warmup_share: float = Field(default=0.06, ge=0, le=0.5, description="Of all steps, linear.")
    max_gradient_norm: float = Field(default=1.0, gt=0)
    epochs: int = Field(default=12, ge=1, le=100, description="Passes over the voted queries at most.")
    min_steps: int = Field(default=40, ge=1, description="Steps at least, however few the votes.")
    reach_steps: int = Field(
        default=90, ge=1, description="The same where judgements are carried to other sentences."
    )
    max_steps: int = Field(default=1500, ge=1)
    batch_examples: int = Field(default=24, ge=1, le=4096, description="Voted queries a step.")
    replay_examples: int = Field(
        default=24, ge=1, le=4096, description="Corpus sentences a step, held by KL."
    )
    anchor_examples: int = Field(
        default=20, ge=1, le=4096, description="Sentences a step of praise, of blame and of all others."
    )
    sentences: int = Field(
        default=16_000,
        ge=100,
        description="Generated ones nobody voted on, sorted by what they ask for.",
    )
    replayed: int = Field(default=6_000, ge=1, description="Of those, replayed with hidden words.")
    votes_weight: float = Field(default=0.5, ge=0, description="Of the loss on voted queries.")
    replay_weight: float = Field(default=3.0, ge=0, description="Of the KL to the domain model on replay.")
    replay_lm_weight: float = Field(
        default=0.65, ge=0, description="Of the masked-LM loss on replay: it pays for lost fluency."
    )
    anchor_weight: float = Field(default=5.0, ge=0, description="Of the KL on queries that are held.")
    reach_weight: float = Field(default=1.75, ge=0, description="Of judgements carried to other praise.")
    reach_raise: float = Field(default=0.5, ge=0, description="Nats by which a wanted word rises there.")
    reach_sink: float = Field(default=4.2, ge=0, description="Nats by which an unwanted word sinks there.")
    blame_part: float = Field(
        default=0.3, ge=0, le=1, description="Of that, the other way round, where blame is asked for."
    )
    blame_lm_weight: float = Field(
        default=0.25, ge=0, description="Of the masked-LM loss on the words of blame."
    )
    mask_share: float = Field(default=0.15, gt=0, lt=1, description="Of the replayed tokens (BERT).")
    max_tokens: int = Field(default=64, ge=8, le=512, description="A replayed sentence is cut here.")
    held_out_share: float = Field(default=0.1, ge=0, lt=1, description="Of the voted queries, by hash.")


class DomainSettings(_Frozen):
    """Masked-LM training on the team's corpus (the original: AdamW 2e-5, decay 0.01, 15 % masks)."""

    recipe: Literal["full", "curated", "curated-only"] = Field(
        default="curated", description="What is learnt, and what is held in place: recipes.py."
    )
    seed: int = 0
    sentences: int = Field(default=25_000, ge=100, description="Generated sentences in the corpus.")
    learning_rate: float = Field(default=5e-5, gt=0, le=1e-2, description="Peak of AdamW at hidden size 768.")
    weight_decay: float = 0.01
    warmup_share: float = 0.06
    max_gradient_norm: float = 1.0
    epochs: float = Field(
        default=1.0, gt=0, le=100, description="At most; an epoch has as many texts as the corpus."
    )
    batch_examples: int = Field(default=64, ge=1)
    mask_share: float = Field(default=0.15, gt=0, lt=1, description="Of the words, hidden whole (BERT).")
    max_tokens: int = Field(default=64, ge=8, le=512, description="A sentence is cut here.")
    new_word_count: int = Field(
        default=20, ge=1, description="A word of several pieces that stands so often becomes a token."
    )
    praise_weight: float = Field(
        default=0.12, ge=0, description="Of unwanted words that come up among the best in praise (curated)."
    )
    blame_weight: float = Field(
        default=0.3, ge=0, description="Of wanted words where a complaint has an unwanted one (curated)."
    )
    evaluations: int = Field(default=4, ge=1, description="On held-out text, an epoch.")
    patience: int = Field(default=3, ge=1, description="Evaluations without improvement before it stops.")


class StarterSettings(_Frozen):
    """The compact model trained from scratch when no base can be had; sized for a minute on two cores."""

    seed: int = 0
    sentences: int = Field(
        default=50_000, ge=100, description="Generated sentences; each is seen about once."
    )
    vocabulary: int = Field(default=5_000, ge=200, description="WordPiece entries at most.")
    layers: int = Field(default=3, ge=1)
    hidden_size: int = Field(default=128, ge=8)
    inner_size: int = Field(default=256, ge=8, description="Width inside the feed-forward part.")
    heads: int = Field(default=4, ge=1)
    initial_spread: float = Field(default=0.06, gt=0, description="Standard deviation of the first weights.")
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.06
    max_gradient_norm: float = 1.0
    batch_examples: int = Field(
        default=32, ge=1, description="Small: many steps matter more than smooth ones."
    )
    mask_share: float = 0.3
    max_tokens: int = 48
    steps: int = Field(default=1_600, ge=1)
