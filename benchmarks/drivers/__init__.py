"""One small driver for each client. A driver module has ``MODE`` (``"sync"`` or ``"async"``) and a class
``Driver(base_url, verify)`` with ``stream()``: the pieces of the text of one answer, as an iterator or an async
iterator. Each is what its documentation shows.
"""
