"""Settings of the training side, and the hyper-parameters with unit, range and source.

`Settings` adds what training needs to those of the database; `bot.settings` adds the bot's own to it.
"""

import math
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

import storage.settings
from storage.files.paths import expanded_folder
from training import locations

Precision = Literal["auto", "fp32"]
DEFAULT_BASE_MODEL = "distilbert-base-uncased"
ON_THE_CLUSTER = "auto"  # as Ray calls the cluster that a process finds itself on


def _language_code(value: str) -> str:
    if re.fullmatch(r"[a-z]{2,3}", value) is None:
        raise ValueError("expected the code of a language, of two or three letters, such as de")
    return value


class Settings(storage.settings.Settings):
    """What both processes need to know. Frozen; build it once, in `main()`."""

    discord_token: SecretStr | None = Field(
        default=None,
        alias="DISCORD_TOKEN",
        description="The bot's token from the Discord developer portal. Empty: the sandbox on this machine.",
    )
    base_model: Annotated[str, AfterValidator(locations.base_model)] = Field(
        default=DEFAULT_BASE_MODEL,
        description="The masked language model to start from: a folder, or a name on the hub. BERT, "
        "DistilBERT, RoBERTa and ModernBERT have a fast path; any other that AutoModelForMaskedLM loads "
        "works, too.",
    )
    allow_weak_base: bool = Field(
        default=False,
        description="Whether to use a base model that cannot fill in easy blanks, such as 'Thank you very "
        "[MASK].'",
    )
    corpus_language: Annotated[str, BeforeValidator(str.lower), AfterValidator(_language_code)] = Field(
        default="en",
        description="Language of the sentences that the model reads, as a code such as de, apart from "
        "FILLBOT_LANGUAGE, the language of the replies. Patterns, word lists and tests ship for en and de.",
    )
    data_dir: Annotated[Path, BeforeValidator(lambda value: expanded_folder(str(value)))] | None = Field(
        default=None,
        description="Folder of the team's CSV files for the domain model. Empty: only generated text.",
    )
    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(str.lower)] = Field(
        default="auto", description="Where runs train: auto (on a GPU if one is found), cpu or cuda."
    )
    precision: Annotated[Precision, BeforeValidator(str.lower)] = Field(
        default="auto",
        description="Number format of serving versions: auto (int8 where its answers match fp32) or fp32.",
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
        default=90.0, ge=1, le=36_500, description="Age in days at which a vote counts half."
    )
    word_lists: Annotated[Literal["prior", "off"], BeforeValidator(str.lower)] = Field(
        default="prior",
        description="The built-in lists of good and bad words: prior (worth a few judged words each) or off. "
        "Without them nothing tells inverted votes from a taste, so that FILLBOT_PROMOTION=auto acts as ask.",
    )
    promotion: Annotated[Literal["auto", "ask", "proof"], BeforeValidator(str.lower)] = Field(
        default="auto",
        description="What happens to a version that passes the gate: auto (it answers at once), ask (an "
        "admin decides with buttons under the verdict) or proof (it answers together with the champion until "
        "people's votes decide).",
    )
    proof_on_new_run: Annotated[Literal["wait", "replace"], BeforeValidator(str.lower)] = Field(
        default="wait",
        description="What a run does while two versions answer: wait (it is skipped until votes have "
        "decided) or replace (a version that passes the gate takes the place of the challenger).",
    )
    models_url: str | None = Field(
        default=None,
        description="Storage on which several machines share versions: s3://bucket/folder, or the path of a "
        "mounted folder. It needs FILLBOT_DATABASE_URL=postgresql://…, which records the versions. Empty: "
        "versions are only on this machine, in FILLBOT_HOME.",
    )
    keep_versions: int = Field(
        default=7,
        ge=1,
        le=10_000,
        description="Newest model versions to keep, in addition to the champion, the previous champion and "
        "the domain model.",
    )
    ray_address: str | None = Field(
        default=None,
        description="Address of the Ray cluster on which runs train, such as http://head:8265. Empty: this "
        "machine. auto: the cluster that this machine is a node of.",
    )
    ray_workers: int = Field(
        default=1, ge=1, le=1_000, description="Workers that share a run's training on Ray."
    )
    ray_wait_s: float = Field(
        default=600.0,
        gt=0,
        le=86_400,
        description="Seconds that a run on Ray waits for free workers, or for silent ones, before it fails.",
    )

    replicas_min: int = Field(
        default=2, ge=1, le=1000, description="Smallest number of replicas of the service."
    )
    replicas_max: int = Field(
        default=8, ge=1, le=1000, description="Largest number of replicas of the service, under load."
    )
    replica_requests: float = Field(
        default=4,
        gt=0,
        le=100,
        description="Average number of concurrent requests per replica above which another replica starts.",
    )
    replica_cpus: int = Field(
        default=1, ge=1, le=64, description="Processors per replica: the number of threads of its model."
    )

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
    def _job_can_reach_its_data(cls, address: str | None, info: ValidationInfo) -> str | None:
        """Require a database and a registry that a run on another machine can reach."""
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
                "a run on another machine needs FILLBOT_DATABASE_URL=postgresql+asyncpg://…, from which it "
                "reads the votes"
            )
        if "models_url" in info.data and not info.data["models_url"]:
            raise ValueError(
                "a run on another machine needs FILLBOT_MODELS_URL, to which it uploads the new version"
            )
        return address

    def missing(self) -> str | None:
        """Which of the folders to read is missing, as a sentence."""
        if self.data_dir is not None and not self.data_dir.is_dir():
            return f"FILLBOT_DATA_DIR: there is no folder {self.data_dir}"
        return locations.missing_base(self.base_model)

    @property
    def lacks_base(self) -> bool:
        """Whether no base model is set that could know the corpus's language: the default knows English."""
        return self.base_model == DEFAULT_BASE_MODEL and self.corpus_language != "en"

    @property
    def submits_runs(self) -> bool:
        """Whether runs are submitted as jobs to a cluster."""
        return self.ray_address not in (None, ON_THE_CLUSTER)

    @property
    def is_on_cluster(self) -> bool:
        """Whether this process is on a cluster, so that its runs distribute training over workers."""
        return self.ray_address == ON_THE_CLUSTER

    @model_validator(mode="after")
    def _replicas_in_order(self) -> "Settings":
        if self.replicas_min > self.replicas_max:
            raise ValueError("FILLBOT_REPLICAS_MIN must not be above FILLBOT_REPLICAS_MAX")
        return self

    @property
    def in_sandbox(self) -> bool:
        """Whether the bot connects to the sandbox instead of Discord."""
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


LearningRate = Annotated[float, Field(gt=0, le=1e-2, description="Peak of AdamW at hidden size 768.")]


class OptimizerSettings(_Frozen):
    """What every training run has in common."""

    seed: int = Field(default=0, description="Seed of initial weights, batches, masks and dropout.")
    learning_rate: LearningRate
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="On matrices only, as in nanoGPT.")
    warmup_share: float = Field(default=0.06, ge=0, le=0.5, description="Share of steps of linear warm-up.")
    max_gradient_norm: float = Field(default=1.0, gt=0, description="Norm to which gradients are clipped.")

    def at_width(self, hidden_size: int, *, max_scale: float = math.inf) -> Self:
        """Adapt these settings to another hidden size: narrower models need and tolerate larger steps."""
        scale = min(math.sqrt(768 / hidden_size), max_scale)
        return self.model_copy(update={"learning_rate": self.learning_rate * scale})


class NightSettings(OptimizerSettings):
    """Fine-tuning on judgements. Recorded in every card."""

    learning_rate: LearningRate = 1e-4
    epochs: int = Field(default=12, ge=1, le=100, description="Most passes over the voted queries.")
    min_steps: int = Field(default=30, ge=1, description="Fewest steps, however few the votes are.")
    max_steps: int = Field(default=1500, ge=1)
    batch_examples: int = Field(default=24, ge=1, le=4096, description="Voted queries per step.")
    replay_examples: int = Field(default=24, ge=1, le=4096, description="Replayed sentences per step.")
    anchor_examples: int = Field(
        default=20, ge=1, le=4096, description="Sentences per step of praise, of blame and of all others."
    )
    sentences: int = Field(default=16_000, ge=100, description="Generated sentences without votes.")
    replayed: int = Field(default=6_000, ge=1, description="How many of them are replayed with hidden words.")
    votes_weight: float = Field(default=0.5, ge=0, description="Weight of the loss on voted queries.")
    replay_weight: float = Field(
        default=3.0, ge=0, description="Weight of the KL to the domain model on replay."
    )
    replay_lm_weight: float = Field(
        default=0.65, ge=0, description="Weight of the masked-LM loss on replay, which restores lost fluency."
    )
    anchor_weight: float = Field(default=5.0, ge=0, description="Weight of the KL on anchors.")
    has_word_lists: bool = Field(
        default=True, description="Whether the built-in lists of good and bad words count as prior knowledge."
    )
    raise_by: float = Field(default=2.5, ge=0, description="Nats by which a clearly wanted word rises.")
    sink_by: float = Field(default=5.0, ge=0, description="Nats by which a clearly unwanted word sinks.")
    praise_weight: float = Field(
        default=0.4, ge=0, description="Weight of good against bad words in sentences that ask for praise."
    )
    praise_hinge_weight: float = Field(
        default=0.05, ge=0, description="Weight of bad words among the best in sentences that ask for praise."
    )
    blame_weight: float = Field(
        default=0.3, ge=0, description="Weight of bad against good words in sentences that ask for blame."
    )
    side_anchor_weight: float = Field(
        default=0.3, ge=0, description="Weight of the KL to the domain model on praise and blame."
    )
    blame_lm_weight: float = Field(
        default=0.1, ge=0, description="Weight of the masked-LM loss on the words of blame."
    )
    mask_share: float = Field(
        default=0.15, gt=0, lt=1, description="Share of masked words in replay, as in BERT."
    )
    max_tokens: int = Field(
        default=64, ge=8, le=512, description="Length to which replayed sentences are cut."
    )
    held_out_share: float = Field(default=0.1, ge=0, lt=1, description="Share of held-out queries, by hash.")


class DomainSettings(OptimizerSettings):
    """Masked-LM training on the team's corpus (the original: AdamW 2e-5, decay 0.01, 15 % masks)."""

    recipe: Literal["full", "curated", "curated-only"] = Field(
        default="curated", description="What is learnt; see `training.domain.recipes`."
    )
    learning_rate: LearningRate = 5e-5
    sentences: int = Field(default=25_000, ge=100, description="Generated sentences in the corpus.")
    epochs: float = Field(
        default=1.0, gt=0, le=100, description="Most epochs; each has as many texts as the corpus."
    )
    batch_examples: int = Field(default=64, ge=1)
    mask_share: float = Field(
        default=0.15, gt=0, lt=1, description="Share of masked whole words, as in BERT."
    )
    max_tokens: int = Field(default=64, ge=8, le=512, description="Length to which sentences are cut.")
    new_word_count: int = Field(
        default=20, ge=1, description="Occurrences from which a word of several pieces becomes a token."
    )
    praise_weight: float = Field(
        default=0.12, ge=0, description="Weight of the loss on unwanted words among the best in praise."
    )
    blame_weight: float = Field(
        default=0.3,
        ge=0,
        description="Weight of the loss on wanted words where a complaint has an unwanted one.",
    )
    evaluations: int = Field(default=4, ge=1, description="Evaluations on held-out text per epoch.")
    patience: int = Field(
        default=3, ge=1, description="Evaluations without improvement before training stops."
    )


class StarterSettings(OptimizerSettings):
    """The compact model trained from scratch without a base model; takes about a minute on two cores."""

    sentences: int = Field(
        default=60_000, ge=100, description="Generated sentences; each is seen about once."
    )
    vocabulary: int = Field(default=5_000, ge=200, description="Most WordPiece entries.")
    layers: int = Field(default=3, ge=1)
    hidden_size: int = Field(default=128, ge=8)
    inner_size: int = Field(default=256, ge=8, description="Width of the feed-forward layers.")
    heads: int = Field(default=4, ge=1)
    initial_std: float = Field(default=0.06, gt=0, description="Standard deviation of the initial weights.")
    learning_rate: LearningRate = 2e-3
    # With 16 it learnt little; 48 did better than 32 in the same time.
    batch_examples: int = Field(default=48, ge=1, description="Sentences per step.")
    mask_share: float = 0.3
    max_tokens: int = 48
    steps: int = Field(default=1_250, ge=1)
