"""What the menus under a reply ask of Discord."""

from bot.voting.menus import rating_view

STRING_SELECT = 3


async def test_a_menu_that_may_be_left_empty_is_not_required():
    rows = rating_view(1, [(0, "comfortable"), (0, "durable")]).to_components()
    menus = [item for row in rows for item in row["components"] if item["type"] == STRING_SELECT]

    assert [(menu["min_values"], menu["required"]) for menu in menus] == [(0, False), (0, False)]
