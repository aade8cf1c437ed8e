"""Blocking I/O: the key, the sockets, the bytes of a stream. The only importer of requests, urllib3 and sseclient."""
