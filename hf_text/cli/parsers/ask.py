"""The parser of ``hf-text`` and ``hf-text ask``."""

from __future__ import annotations

from ..._version import __version__
from ..commands import COMMANDS
from ..parsing import Parser, add_call_options, add_local_options, add_reading_options, add_server_options

__all__ = ["build_parser"]

_DESCRIPTION = """\
Ask a model and read its answer as it arrives, from Hugging Face Inference Providers, or from any server that speaks
the OpenAI chat protocol. Piped text is appended to the prompt."""

_EPILOG = f"""\
commands, if the first word is one of these (see 'hf-text COMMAND --help'):
{chr(10).join(f"  {name:10} {note}" for name, note in COMMANDS.items())}

environment (keys are read only from here, because other users can see command-line arguments):
  HF_TOKEN          the key for Hugging Face; create one at https://huggingface.co/settings/tokens. Not needed \
after 'hf auth login'
  HF_TEXT_API_KEY   the key for the server at --api-base
  HF_TEXT_API_BASE  the default of --api-base
  HF_TEXT_MODEL     the default of -m
  HF_TEXT_MARKDOWN  1: --markdown

The answer goes to standard output; the provider's name, reasoning, warnings and errors go to standard error. With \
--json an error is a JSON object too, with "error" and "partial".

exit status: 0; 1 after an error; 2 for wrong arguments; 130 after Ctrl-C

examples:
  hf-text "Why is the sky blue?"
  hf-text --demo "Hello!"
  cat notes.txt | hf-text -m gpt-oss-20b "Summarise this:"
  hf-text -a cat.jpg "What is in the picture?"
  hf-text -x "A shell script that counts to 10" > count.sh
  hf-text --api-base http://localhost:8080/v1 "Hello!"
  hf-text --local model.gguf "Hello!\""""


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text", "[options] [prompt ...]", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("words", nargs="*", metavar="prompt", help="the question; words are joined, and '--' ends the options")
    add(
        "-f",
        "--file",
        metavar="FILE",
        action="append",
        default=[],
        help="a text file to append to the prompt; repeatable",
    )
    add("-a", "--media", metavar="FILE", action="append", default=[],
        help="a picture or sound: file, URL, or - for standard input; repeatable")  # fmt: skip
    add("--no-stdin", action="store_true", help="do not read standard input, even if it is not a terminal")
    add("--json", action="store_true", help="write the whole answer as one JSON object at the end")
    add(
        "-x",
        "--extract",
        action="store_true",
        help="write only the first code block, or the whole answer if there is none",
    )
    add("--schema", metavar="JSON", help="a JSON schema (or its file) that the answer must match")
    add_reading_options(parser)
    add_call_options(parser)
    add_server_options(parser)
    add_local_options(parser)
    add("--version", action="version", version=f"%(prog)s {__version__}", help="show the version and exit")
    return parser
