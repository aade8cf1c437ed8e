"""llama.cpp's server with a chat template that supports tools; the template in SmolLM2's file does not.

``python tool_server.py MODEL``: prints the address when it listens, and exits at the end of its standard input.
"""

from __future__ import annotations

import os
import sys

TEMPLATE = """\
{%- if tools %}<|im_start|>system
Call a tool for each question: <tool_call>{"name": <name>, "arguments": <arguments>}</tool_call>. Tools:
{%- for tool in tools %}
{{ tool | tojson }}{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}<tool_call>
{{ call.function | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""


def main() -> None:
    """Serve until standard input is closed."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.chat_template = TEMPLATE
    parameters.port = 0
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # the server's destructor would wait for running generations


if __name__ == "__main__":
    main()
