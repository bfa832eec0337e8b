"""One answer out of those of two versions: the words are drawn from both."""

from dataclasses import replace

from bot.answering.vote_adjustment import ShownPrediction
from bot.proof.interleaving import Coin, team_draft


def together(champion: ShownPrediction, challenger: ShownPrediction, *, coin: Coin) -> ShownPrediction:
    """Draw the words of one answer from both, and mark each with the version that brought it.

    The words of several masks fit together only as a whole, so the coin draws one version for all of them.
    Where votes have changed an answer, the champion answers alone: the same votes would change both.
    """
    if champion.is_adjusted or challenger.is_adjusted or len(champion.masks) != len(challenger.masks):
        return champion
    if len(champion.masks) > 1:
        return _drawn_whole(champion, challenger, coin=coin)
    (ours,), (theirs,) = champion.masks, challenger.masks
    versions = {"champion": champion.model_version, "challenger": challenger.model_version}
    picks = team_draft(ours, theirs, size=len(ours), name=lambda shown: shown.word, coin=coin)
    words = tuple(
        replace(pick.item, model_version=None if pick.is_shared else versions[pick.by]) for pick in picks
    )
    return replace(champion, masks=(words,), together_with=challenger.model_version)


def _drawn_whole(champion: ShownPrediction, challenger: ShownPrediction, *, coin: Coin) -> ShownPrediction:
    drawn, other = (challenger, champion) if coin() else (champion, challenger)
    words = [[[shown.word for shown in mask] for mask in each.masks] for each in (drawn, other)]
    version = None if words[0] == words[1] else drawn.model_version
    masks = tuple(tuple(replace(shown, model_version=version) for shown in mask) for mask in drawn.masks)
    return replace(drawn, masks=masks, together_with=other.model_version)
