"""What one can do with a message in the chat page: delete it, open a thread from it, attach a file to it."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect
from support.stage import Stage, say

pytestmark = [pytest.mark.long, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def said(stage: Stage, text: str = "oops", person: str = "ada") -> Page:
    """The page of somebody who has said something and points at it."""
    page = await stage.open(person)
    await say(page, text)
    await page.locator(".message").first.hover()
    return page


async def test_a_message_is_deleted_after_a_question_and_kept_without_an_answer(stage: Stage) -> None:
    page = await said(stage)
    await page.get_by_role("button", name="Delete your message").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()
    await expect(page.locator(".popup")).to_have_count(0)
    await page.get_by_role("button", name="Delete your message").click()
    await page.keyboard.press("Escape")
    await expect(page.locator(".message")).to_have_count(1)
    await page.get_by_role("button", name="Delete your message").click(modifiers=["Shift"])
    await expect(page.locator(".message")).to_have_count(0)


async def test_an_admin_may_delete_what_others_said_and_members_may_not(stage: Stage) -> None:
    ben = await said(stage, "by ben", "ben")
    ada, cleo = await stage.open("ada"), await stage.open("cleo")
    await cleo.locator(".message").first.hover()
    await expect(cleo.get_by_role("button", name="Add a reaction")).to_be_visible()
    await expect(cleo.get_by_role("button", name="Delete this message")).to_have_count(0)
    await ada.locator(".message").first.hover()
    await ada.get_by_role("button", name="Delete this message").click()
    await ada.get_by_role("button", name="Delete", exact=True).click()
    await expect(ben.locator(".message")).to_have_count(0)


async def test_saving_an_edit_without_text_asks_to_delete(stage: Stage) -> None:
    page = await said(stage)
    await page.get_by_role("button", name="Edit your message").click()
    await page.locator(".editor textarea").fill("")
    await page.locator(".editor textarea").press("Enter")
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete", exact=True).click()
    await expect(page.locator(".message")).to_have_count(0)


async def test_a_thread_is_opened_from_a_message_and_can_be_written_in(stage: Stage) -> None:
    page = await said(stage, "Let us talk about shoes")
    await page.get_by_role("button", name="Create a thread").click()
    name = page.get_by_label("Name of the thread")
    await expect(name).to_have_value("Let us talk about shoes")
    await name.fill("Shoes")
    await name.press("Enter")
    await expect(page.get_by_role("heading", name="# Shoes")).to_be_visible()
    await say(page, "!fill Nike shoes are very [MASK]")
    await expect(page.locator(".message").nth(1).locator(".embed")).to_be_visible()
    await page.get_by_role("navigation").get_by_role("button", name="support", exact=True).click()
    await expect(page.locator(".thread-link")).to_contain_text("Shoes")
    await page.locator(".message").first.hover()
    await expect(page.get_by_role("button", name="Create a thread")).to_have_count(0)


async def test_a_file_is_attached_taken_off_again_and_sent(stage: Stage) -> None:
    page = await stage.open()
    file = page.locator("#file")
    await file.set_input_files([{"name": "wrong.csv", "mimeType": "text/csv", "buffer": b"x"}])
    await page.get_by_role("button", name="Do not attach wrong.csv").click()
    await expect(page.locator("#attached")).to_be_hidden()
    await file.set_input_files(
        [{"name": "guide.csv", "mimeType": "text/csv", "buffer": b"sentence,wanted\n"}]
    )
    await expect(page.locator("#attached")).to_contain_text("guide.csv")
    await say(page, "!import guide")
    await expect(page.locator(".message").first).to_contain_text("guide.csv")
    await expect(page.locator("#attached")).to_be_hidden()
    sent = [one for log in stage.sandbox.world.messages.values() for one in log.values() if one.attachments]
    assert [(one.content, one.attachments[0].content) for one in sent] == [
        ("!import guide", b"sentence,wanted\n")
    ]
