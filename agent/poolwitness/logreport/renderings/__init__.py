"""The output formats of the report, one module per format."""
