"""Programs that are killed, and what they told of themselves before: the black box is held against that."""
