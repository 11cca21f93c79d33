"""The events as a contract: what each field means, which event has it, and the same as JSON Schema.

Nothing here is loaded by a program under the witness: the types alone are, from `poolwitness.report.field_types`.
"""
