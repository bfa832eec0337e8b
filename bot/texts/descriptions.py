"""Descriptions of commands and options, as Discord shows them in the language of each reader's client."""

from discord import Locale, app_commands

from bot.texts import DEFAULT, languages, text_in


def described(key: str) -> app_commands.locale_str:
    """The description of this key under `commands`, translated when the commands are synced."""
    key = f"commands.{key}"
    return app_commands.locale_str(text_in(DEFAULT, key), key=key)


class DescriptionTranslator(app_commands.Translator):
    """Translates descriptions into every language that has a file and that Discord knows."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The description in a locale; None: the default, as for names."""
        key = string.extras.get("key")
        for language in (locale.value, locale.value.partition("-")[0]):  # es.yaml serves es-ES and es-419
            if key is not None and language != DEFAULT and language in languages():
                return text_in(language, key)
        return None
