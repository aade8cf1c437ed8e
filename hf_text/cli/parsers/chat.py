"""The parser of ``hf-text chat``."""

from __future__ import annotations

from ..parsing import Parser, add_call_options, add_local_options, add_reading_options, add_server_options

__all__ = ["CHAT_COMMANDS", "build_parser"]

_DESCRIPTION = """\
Talk with a model. Ctrl-C stops an answer, Ctrl-D (or /quit) ends. Only /save stores the conversation."""

CHAT_COMMANDS = """\
  /model [NAME]    show or change the model
  /system [TEXT]   show or change the system message
  /media FILE      add a picture or sound to your next turn
  /save FILE       save the conversation
  /load FILE       continue a saved conversation
  /retry           ask for another answer to your last turn
  /undo            remove what /media added, else your last turn
  /usage           tokens and cost so far
  /help            this list
  /quit            end
Lines between two lines of \"\"\" are one turn."""

_EPILOG = f"""\
in the conversation:
{CHAT_COMMANDS}

examples:
  hf-text chat
  hf-text chat -m gpt-oss-20b -s "Answer like a pirate."
  hf-text chat --load talk.json
  hf-text chat --demo"""


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text chat", "[options]", _DESCRIPTION, _EPILOG)
    parser.add_argument("--load", metavar="FILE", help="continue a conversation that /save wrote")
    add_reading_options(parser)
    add_call_options(parser)
    add_server_options(parser)
    add_local_options(parser)
    return parser
