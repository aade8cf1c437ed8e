"""What fits this library into others. Each module needs the package that it is named after."""
