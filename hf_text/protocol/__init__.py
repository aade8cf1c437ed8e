"""The chat protocol, pure: bytes and JSON in, values out.

Nothing in this package opens a socket, looks at a clock or imports a third party; the only files it reads are the
pictures and sounds that a caller names. ``hf_text.transport`` sends what is built here, and what it receives is parsed
here.
"""
