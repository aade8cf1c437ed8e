"""What takes several requests, decided once and driven by blocking and by async code.

A procedure is a generator. It yields what it wants done, is sent what came of it, and returns what it was for.
"""
