"""What the library costs beside the model, measured side by side with its peers. See docs/performance.rst."""
