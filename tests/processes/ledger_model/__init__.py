"""A model of who has which connection, to hold the ledger to: one machine for threads, one for tasks."""
