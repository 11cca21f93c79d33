"""Messages of libpq, PostgreSQL and psycopg are named, and nothing of them is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolwitness.model.server_errors import NOT_RECOGNISED, SENTENCES, recognise
from tests.support import hostile_values as values

SERVER = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '
SOCKET = 'connection failed: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: '
MESSAGES = [
    (SERVER + 'FATAL:  password authentication failed for user "shop_app"', "password_rejected"),
    (SERVER + "fe_sendauth: no password supplied", "no_password"),
    (SERVER + 'FATAL:  role "shop app" does not exist', "role_missing"),
    (SERVER + 'FATAL:  role "shop" is not permitted to log in', "role_cannot_log_in"),
    (SOCKET + 'FATAL:  database "shop" does not exist', "database_missing"),
    (SERVER + 'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "a", database "b", no encryption', "no_pg_hba_entry"),
    (SERVER + 'FATAL:  pg_hba.conf rejects connection for host "1.2.3.4", user "a"', "no_pg_hba_entry"),
    (SOCKET + 'FATAL:  Peer authentication failed for user "shop"', "authentication_failed"),
    (SERVER + "FATAL:  sorry, too many clients already", "too_many_connections"),
    (SERVER + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "too_many_connections"),
    (SERVER + 'FATAL:  too many connections for role "shop"', "too_many_for_role"),
    (SERVER + 'FATAL:  too many connections for database "shop"', "too_many_for_database"),
    (SERVER + "FATAL:  the database system is starting up", "starting_up"),
    (SERVER + "FATAL:  the database system is shutting down", "shutting_down"),
    (SERVER + "FATAL:  the database system is in recovery mode", "in_recovery"),
    (SERVER + "FATAL:  the database system is not yet accepting connections", "in_recovery"),
    (SERVER + "session is read-only", "read_only_standby"),
    (SERVER + "server is in hot standby mode", "read_only_standby"),
    (SERVER + "server is not in hot standby mode", "not_standby"),
    (SERVER + "server does not support SSL, but SSL was required", "tls_refused"),
    (SERVER + "FATAL:  connection requires a valid client certificate", "tls_required"),
    (SERVER + "SSL error: certificate verify failed", "certificate"),
    ('root certificate file "/root/.postgresql/root.crt" does not exist', "certificate"),
    (SERVER + "SSL error: tlsv1 alert no application protocol", "tls_failed"),
    (SERVER + "received invalid response to SSL negotiation: H", "not_postgresql"),
    (SERVER + "expected authentication request from server, but received H", "not_postgresql"),
    ('could not translate host name "db.internal" to address: Name or service not known', "name_not_resolved"),
    ("failed to resolve host 'db.internal': [Errno -2] Name or service not known", "name_not_resolved"),
    (SERVER + "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?", "connection_refused"),
    (SERVER + "could not receive data from server: Connection refused", "connection_refused"),
    (SOCKET + "No such file or directory\n\tIs the server running locally?", "socket_missing"),
    (SERVER + "timeout expired", "timed_out"),
    ("connection timeout expired", "timed_out"),
    (SERVER + "No route to host", "unreachable"),
    (SERVER + "server closed the connection unexpectedly\n\tThis probably means", "server_closed"),
    ('invalid percent-encoded token: "hunter%2"', "uri_not_encoded"),
    ('missing "=" after "hunter2" in connection info string', "conninfo_invalid"),
    ('invalid connection option "passwort"', "conninfo_invalid"),
    ('invalid integer value "hunter2" for connection option "port"', "conninfo_invalid"),
    ("Psycopg cannot use the 'ProactorEventLoop' to run in async mode. Please use", "proactor_event_loop"),
    # A translated one, and one that is not known.
    (SERVER + "FATAL:  Passwort-Authentifizierung für Benutzer »shop« fehlgeschlagen", NOT_RECOGNISED),
    ("", NOT_RECOGNISED),
    # The attempts of two addresses: what a server has answered says more than what the network did.
    (SERVER + "Connection refused\nMultiple connection attempts failed.\n- host: 'x': FATAL:  database \"y\" does not exist", "database_missing"),
    # What is in quotes is the program's.
    ('could not translate host name "password authentication failed" to address: no', "name_not_resolved"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), MESSAGES)
def test_a_message_has_a_name(text: str, name: str) -> None:
    assert recognise(text) == name


@pytest.mark.parametrize(
    ("sqlstate", "name"),
    [
        ("28P01", "password_rejected"),
        ("3D000", "database_missing"),
        ("53300", "too_many_connections"),
        ("28000", "authentication_failed"),
    ],
)
def test_a_translated_message_is_named_by_its_sqlstate(sqlstate: str, name: str) -> None:
    assert recognise("Datenbank fehlt", sqlstate) == name


def test_each_name_is_met_or_is_rare() -> None:
    rare = {"pooler_cannot_connect", "permission_denied", "not_permitted"}
    assert {name for _, name in MESSAGES} | rare == set(SENTENCES)


@values.UNHURRIED
@given(st.text())
def test_any_text_has_a_name(text: str) -> None:
    assert recognise(text) in SENTENCES
