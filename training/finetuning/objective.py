"""How a night trains: the loss on voted queries, and what goes with it. The seam for other losses."""

from dataclasses import dataclass

from training.finetuning.losses import VotesLoss, tilted_votes_loss


@dataclass(frozen=True, slots=True)
class Objective:
    """What a step of fine-tuning is made of.

    Attributes:
        name: as it stands in the card.
        votes_loss: on the voted queries.
        has_replay: corpus text is learnt, and held to the domain model.
        has_anchors: complaints, negations and plain English are held to the domain model.
        has_generalization: judgements are carried over to sentences nobody voted on.
        frozen_share: of the layers, from below, that stay as they are, and the embeddings with them.
        step_shares: of the way from the domain model to the fine-tuned weights, tried in turn while the gate
            objects to harm alone (WiSE-FT, Wortsman et al. 2109.01903): harm falls faster than what was
            learnt.
    """

    name: str
    votes_loss: VotesLoss
    has_replay: bool = True
    has_anchors: bool = True
    has_generalization: bool = True
    frozen_share: float = 1 / 3
    step_shares: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)


DEFAULT_OBJECTIVE = Objective("ours", tilted_votes_loss)
