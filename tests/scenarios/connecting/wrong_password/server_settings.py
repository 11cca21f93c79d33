import psycopg


def want_a_password(dsn: str, user: str, password: str) -> None:
    """Make the server ask this user for a password: once, whoever else is at it."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(930954)")
        found = conn.execute("select 1 from pg_roles where rolname = %s", (user,)).fetchone()
        if found is None:
            conn.execute(f"create role {user} login password '{password}'")
        row = conn.execute("select current_setting('hba_file')").fetchone()
        assert row is not None
        rules = conn.execute("select pg_read_file(%s)", (row[0],)).fetchone()
        assert rules is not None
        if user not in rules[0]:
            ours = [f"{kind} scram-sha-256" for kind in (f"local all {user}", f"host all {user} all")]
            conn.execute("create temporary table hba (line text)")
            with conn.cursor().copy("copy hba from stdin") as copy:
                for line in [*ours, *rules[0].splitlines()]:
                    copy.write_row((line,))
            conn.execute(f"copy hba to '{row[0]}'")
            conn.execute("select pg_reload_conf()")
        while not conn.execute(
            "select 1 from pg_hba_file_rules where %s = any(user_name) and error is null", (user,)
        ).fetchone():
            pass
