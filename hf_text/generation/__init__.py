"""One answer: the targets, the requests, reading the stream, the verdict, and the public ``Stream``."""
