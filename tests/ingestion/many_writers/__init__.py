"""Many real processes that write into one pipe, one file or one journal, and a reader that checks every line."""
