"""The application's structlog stays as the application has it."""

from __future__ import annotations

from tests.support.programs import both, same


def test_structlog_stays_as_the_application_has_it() -> None:
    program = """
        import structlog
        before = structlog.get_config()
        kept = {name: list(value) if isinstance(value, list) else value for name, value in before.items()}
        print(structlog.is_configured())
        from psycopg_pool import ConnectionPool
        pool = ConnectionPool("host=127.0.0.1 port=1", open=False, min_size=0, max_size=1)
        print(structlog.is_configured(), structlog.get_config() == kept)
        seen = []
        structlog.configure(processors=[lambda _, __, event: seen.append(event) or ""], logger_factory=lambda *args: 1 / 0)
        with pool:
            pass
        print(seen, structlog.is_configured())
    """
    with_agent, without = both(program)
    same(with_agent, without)
    assert with_agent.verdict == "clean"
    assert not with_agent.named("poolwitness.agent.part_disabled")
