"""One answer: whom to ask, the reading and the verdict on its stream, and what users hold of it."""
