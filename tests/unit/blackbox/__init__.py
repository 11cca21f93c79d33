def raise_it(error: OSError) -> None:
    """For a file that is not expected to fail."""
    raise error
