"""The errors of the sandbox.

SandboxError
├── ApiError            a refusal in Discord's words: HTTP status, numeric code, message
│   └── InvalidBodyError    400 with code 50035: which field breaks which limit
└── PortInUseError      the port is in use; nothing was started
"""

from enum import Enum
from typing import Any


class SandboxError(Exception):
    """The root of this package's errors."""


class PortInUseError(SandboxError):
    """Another program uses the sandbox's port."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"Port {port} on 127.0.0.1 is in use, so the sandbox cannot start. Stop the program that uses "
            "it, or set FILLBOT_SANDBOX_PORT to another port (0 picks a free one)."
        )


class Refusal(Enum):
    """Discord's refusals: (HTTP status, numeric code, message)."""

    BAD_REQUEST = (400, 0, "400: Bad Request")
    UNAUTHORIZED = (401, 0, "401: Unauthorized")
    FORBIDDEN = (403, 0, "403: Forbidden")
    NOT_FOUND = (404, 0, "404: Not Found")
    METHOD_NOT_ALLOWED = (405, 0, "405: Method Not Allowed")
    SERVER_ERROR = (500, 0, "500: Internal Server Error")
    UNKNOWN_APPLICATION = (404, 10002, "Unknown Application")
    UNKNOWN_CHANNEL = (404, 10003, "Unknown Channel")
    UNKNOWN_GUILD = (404, 10004, "Unknown Guild")
    UNKNOWN_MEMBER = (404, 10007, "Unknown Member")
    UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")
    UNKNOWN_USER = (404, 10013, "Unknown User")
    UNKNOWN_EMOJI = (400, 10014, "Unknown Emoji")
    UNKNOWN_WEBHOOK = (404, 10015, "Unknown Webhook")
    UNKNOWN_STICKER = (404, 10060, "Unknown sticker")
    UNKNOWN_INTERACTION = (404, 10062, "Unknown interaction")
    UNKNOWN_COMMAND = (404, 10063, "Unknown application command")
    TOO_MANY_REACTIONS = (403, 30010, "Maximum number of reactions reached (20)")
    ENTITY_TOO_LARGE = (413, 40005, "Request entity too large")
    ALREADY_ACKNOWLEDGED = (400, 40060, "Interaction has already been acknowledged.")
    MISSING_ACCESS = (403, 50001, "Missing Access")
    DIRECT_CHANNEL = (400, 50003, "Cannot execute action on a DM channel")
    EDIT_OF_ANOTHER = (403, 50005, "Cannot edit a message authored by another user")
    EMPTY_MESSAGE = (400, 50006, "Cannot send an empty message")
    CANNOT_SEND_TO_USER = (403, 50007, "Cannot send messages to this user")
    NO_MESSAGES_HERE = (400, 50008, "Cannot send messages in a non-text channel")
    MISSING_PERMISSIONS = (403, 50013, "Missing Permissions")
    BULK_DELETE_COUNT = (
        400,
        50016,
        "Provided too few or too many messages to delete. Must provide 2 to 100.",
    )
    WRONG_CHANNEL_TYPE = (400, 50024, "Cannot execute action on this channel type")
    INVALID_WEBHOOK_TOKEN = (401, 50027, "Invalid Webhook Token")
    TOO_OLD_TO_BULK_DELETE = (400, 50034, "A message provided was too old to bulk delete")
    INVALID_BODY = (400, 50035, "Invalid Form Body")
    THREAD_ARCHIVED = (400, 50083, "Thread is archived")
    INVALID_JSON = (400, 50109, "The request body contains invalid JSON.")
    NO_HISTORY_TO_REPLY_TO = (400, 160002, "You cannot reply without permission to read message history")
    THREAD_EXISTS = (400, 160004, "A thread has already been created for this message")
    THREAD_LOCKED = (400, 160005, "Thread is locked")


class ApiError(SandboxError):
    """A request that Discord would refuse."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self.status, self.code, self.message = refusal.value
        super().__init__(f"{self.message} (status {self.status}, code {self.code})")

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the refusal."""
        return {"message": self.message, "code": self.code}


# Discord's messages for the codes of fields, where they do not depend on the value
FIELD_MESSAGES = {
    "APPLICATION_COMMANDS_DUPLICATE_NAME": "Command names must be unique.",
    "APPLICATION_COMMAND_INVALID_NAME": "Command name is invalid",
    "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_WITH_CHOICES": (
        "Autocomplete cannot be enabled for an option with choices"
    ),
    "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS": "Option choice name already exists",
    "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS": "Option name already exists",
    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID": (
        "Required options must be placed before non-required options"
    ),
    "APPLICATION_COMMAND_OPTION_CHOICE_INVALID": "Must be one of the choices.",
    "APPLICATION_COMMAND_OPTION_UNKNOWN": "No such option.",
    "ATTACHMENT_NOT_FOUND": "Attachment data not found",
    "BASE_TYPE_REQUIRED": "This field is required",
    "BITFIELD_TYPE_INVALID": "There is no such flag.",
    "BOOLEAN_TYPE_CONVERT": "Must be either true or false.",
    "COMPONENT_CUSTOM_ID_DUPLICATED": "Component custom id cannot be duplicated",
    "COMPONENT_DISABLED_IN_MODAL": "Nothing in a modal can be disabled.",
    "COMPONENT_ID_DUPLICATED": "Component id cannot be duplicated",
    "COMPONENT_INVALID_EMOJI": "Invalid emoji",
    "COMPONENT_LAYOUT_WIDTH_EXCEEDED": "The specified row is too wide.",
    "COMPONENT_VALIDATION_FAILED": "Component validation failed",
    "DICT_TYPE_CONVERT": "Only dictionaries may be used in a DictType",
    "LIST_TYPE_CONVERT": "Only iterables may be used in a ListType",
    "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG": "The components v2 flag cannot be removed from a message.",
    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2": "Components V2 go without content and embeds.",
    "REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL": "Cannot reply to a message in a different channel",
    "REPLIES_UNKNOWN_MESSAGE": "Unknown message",
    "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED": "The specified option value is already used",
    "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES": "Min values must be at least 1 if the component is required",
    "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES": "There are more defaults than max_values.",
    "STRING_TYPE_CONVERT": "Could not interpret value as string.",
    "URL_TYPE_INVALID_URL": "Not a well formed URL.",
}


class InvalidBodyError(ApiError):
    """A field of the body breaks a limit; `path` names it, as in ``embeds.0.title``."""

    def __init__(self, path: str, code: str, text: str | None = None) -> None:
        super().__init__(Refusal.INVALID_BODY)
        self.path, self.field_code = path, code
        self.text = FIELD_MESSAGES[code] if text is None else text

    def body(self) -> dict[str, Any]:
        """Return the JSON body, with the errors nested along the field's path as Discord nests them."""
        errors: dict[str, Any] = {"_errors": [{"code": self.field_code, "message": self.text}]}
        for part in reversed(self.path.split(".")):
            errors = {part: errors}
        return {**super().body(), "errors": errors}
