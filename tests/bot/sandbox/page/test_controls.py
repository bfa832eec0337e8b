"""What people press in the chat page: reactions, menus, buttons, forms, pictures, slash commands."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from support.stage import Stage, rate, say, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def test_a_click_on_a_reaction_gives_it_and_a_second_takes_it_back(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    thumb = page.locator('.reaction[data-emoji="👍"]')
    await expect(thumb.locator(".count")).to_have_text("1")
    await expect(thumb).to_have_attribute("aria-pressed", "false")
    await thumb.click()
    await expect(thumb.locator(".count")).to_have_text("2")
    await expect(thumb).to_have_attribute("aria-pressed", "true")
    await until(lambda: ("ada", "👍", 1) in stage.bot.heard.reactions, "ada's thumb")
    await thumb.click()
    await expect(thumb.locator(".count")).to_have_text("1")
    await until(lambda: ("", "👍", -1) in stage.bot.heard.reactions, "the thumb taken back")


async def test_a_reaction_can_be_added_with_the_keyboard(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.locator(".reaction.add").press("Enter")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page.locator('.reaction[data-emoji="👎"]')).to_have_attribute("aria-pressed", "true")
    await until(lambda: ("ada", "👎", 1) in stage.bot.heard.reactions, "ada's thumb down")


async def test_a_menu_sends_the_chosen_values_and_the_answer_is_for_one_person_only(stage: Stage) -> None:
    page, other = await stage.open("ada"), await stage.open("ben")
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.get_by_role("button", name="👍 Words that fit").click()
    await page.get_by_role("option", name="popular").click()
    await page.keyboard.press("Home")
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await until(lambda: stage.bot.heard.chosen == [("ada", ["comfortable", "popular"])], "ada's choice")
    private = page.locator(".message.private")
    await expect(private).to_contain_text("These fit: comfortable, popular")
    await expect(private).to_contain_text("Only you can see this")
    await expect(page.locator(".select").first.locator(".chip")).to_have_text(["comfortable", "👟popular"])
    await expect(other.locator(".message")).to_have_count(2)
    await private.get_by_role("button", name="Dismiss").click()
    await expect(private).to_have_count(0)


async def test_escape_closes_a_menu_without_sending(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    menu = page.get_by_role("button", name="👍 Words that fit")
    await menu.click()
    await page.keyboard.press("Space")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox", name="👍 Words that fit")).to_have_count(0)
    await expect(menu).to_be_focused()
    assert stage.bot.heard.chosen == []


async def test_all_choices_of_a_menu_can_be_taken_back(stage: Stage) -> None:
    page = await stage.open()
    await rate(page)
    for keys in (["Space"], ["Space"]):
        await page.locator(".select").first.click()
        for key in [*keys, "Tab", "Enter"]:  # on to the button that is done
            await page.keyboard.press(key)
    await until(lambda: stage.bot.heard.chosen == [("ada", ["comfortable"]), ("ada", [])], "both choices")
    await expect(page.locator(".select").first).to_have_text("👍 Words that fit")


async def test_a_menu_shows_what_the_bot_has_chosen_before_and_after_an_edit(stage: Stage) -> None:
    page = await stage.open()
    await rate(page)
    menu = page.get_by_role("button", name="👎 Words that don't")
    await expect(menu.locator(".chip")).to_have_text("expensive")
    await menu.click()
    await page.get_by_role("option", name="durable").click()
    await page.get_by_role("button", name="Done").click()
    await until(lambda: stage.bot.heard.chosen == [("ada", ["durable", "expensive"])], "ada's choice")
    await expect(menu.locator(".chip")).to_have_text(["light"])  # a list waits while two are shown
    await expect(menu).to_be_focused()


async def test_a_disabled_button_is_no_stop_and_a_link_opens_elsewhere(stage: Stage) -> None:
    page = await stage.open()
    await rate(page)
    await expect(page.get_by_role("button", name="Not yet")).to_be_disabled()
    link = page.get_by_role("link", name="How it works")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(link).to_have_attribute("target", "_blank")


async def test_a_modal_says_what_is_wrong_and_gives_the_focus_back(stage: Stage) -> None:
    page = await stage.open()
    await rate(page)
    opener = page.get_by_role("button", name="Suggest a word")
    await opener.press("Enter")
    word = page.get_by_role("dialog").get_by_label("Your word")
    await word.press("Enter")
    await expect(word).to_have_accessible_description("Please fill this in.")
    await word.fill("ab")
    await expect(word).to_have_accessible_description("Please write at least 3 characters; this has 2.")
    await expect(word).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_text("2/30")).to_be_visible()
    await word.fill("soft")
    await expect(word).to_have_accessible_description("")
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    assert stage.bot.heard.words == []


async def test_a_modal_opens_and_its_answer_reaches_the_bot(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.get_by_role("button", name="Suggest a word").click()
    dialog = page.get_by_role("dialog", name="Suggest a word")
    await expect(dialog.get_by_label("Your word")).to_be_focused()
    form, footer = await dialog.bounding_box(), await dialog.locator("footer").bounding_box()
    assert form is not None
    assert footer is not None
    assert footer["width"] == pytest.approx(form["width"], abs=1)
    await page.keyboard.type("breathable")
    await dialog.get_by_role("button", name="Submit").click()
    await until(lambda: stage.bot.heard.words == ["breathable"], "the word")
    await expect(dialog).to_be_hidden()
    await expect(page.locator(".message.private strong")).to_have_text("breathable")


async def test_an_unanswered_button_says_that_the_interaction_failed(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!fill Nike shoes are very [MASK]")
    await page.get_by_role("button", name="Break").click()
    await expect(page.get_by_text("This interaction failed")).to_be_visible(timeout=10_000)


async def test_a_picture_can_be_enlarged_and_a_file_downloaded(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!picture")
    picture = page.get_by_role("button", name="Enlarge Loss over time")
    await picture.click()
    enlarged = page.locator("#lightbox img")
    await expect(enlarged).to_be_visible()
    assert await enlarged.evaluate("image => image.decode().then(() => image.naturalWidth)") == 600
    await page.keyboard.press("Escape")
    await expect(enlarged).to_be_hidden()
    await expect(picture).to_be_focused()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="votes.csv").click()
    assert (await (await download.value).path()).read_bytes() == b"word,votes\n"


async def test_several_pictures_stand_side_by_side_and_arrows_lead_from_one_to_the_next(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!album")
    last = page.get_by_role("button", name="Enlarge Blue")
    await last.click()
    large = page.locator("#lightbox")
    await expect(large).to_contain_text("Blue · 3 of 3")
    await page.keyboard.press("ArrowRight")
    await expect(large).to_contain_text("Red · 1 of 3")
    await page.keyboard.press("Escape")
    await expect(last).to_be_focused()


async def test_the_picture_of_an_embed_opens_large_and_is_shown_once(stage: Stage) -> None:
    page = await stage.open()
    await say(page, "!chart")
    await expect(page.locator(".message img")).to_have_count(1)
    await page.locator(".embed").get_by_role("button", name="Enlarge").click()
    await expect(page.locator("#lightbox img")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#lightbox img")).to_be_hidden()


async def test_slash_suggestions_complete_a_command_with_its_options(stage: Stage) -> None:
    page = await stage.open()
    box = page.locator("#box")
    await box.press_sequentially("/fi")
    await expect(page.get_by_role("option", name="/fill")).to_contain_text("Fill the blanks in a sentence")
    await box.press("Enter")
    await expect(box).to_have_value("/fill text: ")
    await box.press_sequentially("Socks are [MASK] version: v000")
    await expect(page.get_by_role("option")).to_have_text(["v0001", "v0002"])
    await box.press("ArrowDown")
    await box.press("ArrowDown")
    await box.press("Tab")
    await expect(box).to_have_value("/fill text: Socks are [MASK] version: v0002 ")
    await box.press("Enter")
    await until(
        lambda: stage.bot.heard.slashed == [("ada", "Socks are [MASK]", "v0002")], "the slash command"
    )
    await expect(page.locator(".message .reference")).to_contain_text("Ada used /fill")


async def test_a_slash_command_without_its_required_option_is_explained_and_kept(stage: Stage) -> None:
    page = await stage.open()
    await page.locator("#box").press_sequentially("/fill")
    await expect(page.get_by_role("option", name="/fill")).to_be_visible()
    await say(page, "/fill version: v0001")
    await expect(page.locator("#toasts")).to_contain_text("/fill needs “text”")
    await expect(page.locator("#box")).to_have_value("/fill version: v0001")


async def test_a_message_command_is_under_apps(stage: Stage) -> None:
    page = await stage.open("ben")
    await say(page, "it is warm")
    await page.locator(".message").hover()
    await page.get_by_role("button", name="Apps").click()
    await page.get_by_role("group", name="Apps").get_by_role("button", name="Shout").click()
    reply = page.locator(".message").nth(1)
    await expect(reply.locator(".text")).to_have_text("IT IS WARM")
    await expect(reply.locator(".reference").nth(0)).to_contain_text("Ben used Shout")
    await expect(reply.locator(".reference").nth(1)).to_contain_text("it is warm")
