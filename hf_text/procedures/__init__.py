"""Operations that take several requests, defined once and driven by blocking and by async code.

A procedure is a generator. It yields effects to perform, receives their results, and returns its own result.
"""
