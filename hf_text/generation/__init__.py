"""One answer: the targets, the requests, the reading of the stream, the verdict, and what users hold of it."""
