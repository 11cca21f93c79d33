"""The vocabulary of failed connects: what libpq and PostgreSQL report, each by a name and a sentence without its variable parts.

Such a message may quote anything: a password that is not escaped, a parameter, an address. So no part of it is reported.
"""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than the whole table.

import re
from functools import cache
from typing import NamedTuple

NOT_RECOGNISED = "not_recognised"


class ServerError(NamedTuple):
    """One kind of failed connect.

    Attributes:
        name: promised to users, as the value of ``poolwitness.server_error``.
        sentence: what is reported in the place of the message.
        pattern: found in a message, or in its server's SQLSTATE, where that is known. What the message has in quotes is
            left out before.
    """

    name: str
    sentence: str
    pattern: str


# fmt: off
# A message may have several attempts in it, so what a server has answered comes before what the network did.
_TABLE = (
    ServerError("password_rejected", "the server rejected the password", r"^28P01$|password authentication failed|SASL authentication failed"),
    ServerError("no_password", "no password was supplied, and the server asks for one", r"no password supplied|password is required"),
    ServerError("role_missing", "the role does not exist", r"role\s+does not exist|no such user"),
    ServerError("role_cannot_log_in", "the role may not log in", r"role\s+is not permitted to log in"),
    ServerError("database_missing", "the database does not exist", r"^3D000$|database\s+does not exist|no such database"),
    ServerError("no_pg_hba_entry", "no entry of pg_hba.conf lets this connection in", r"no pg_hba\.conf entry|pg_hba\.conf rejects"),
    ServerError("too_many_for_role", "the role has as many connections as it may have", r"too many connections for role"),
    ServerError("too_many_for_database", "the database has as many connections as it may have", r"too many connections for database"),
    ServerError("too_many_connections", "the server has as many connections as it may have", r"^53300$|too many clients|too many connections|connection slots are reserved|no more connections allowed"),
    ServerError("starting_up", "the server is starting up", r"database system is starting up"),
    ServerError("shutting_down", "the server is shutting down", r"database system is shutting down|^57P01$|due to administrator command"),
    ServerError("in_recovery", "the server is in recovery and accepts no connections yet", r"^57P03$|is in recovery mode|not yet accepting connections|not accepting connections"),
    ServerError("read_only_standby", "the server is a read-only standby, and the connection string asks for another", r"session is read-only|server is in hot standby mode"),
    ServerError("not_standby", "the server is not a standby, and the connection string asks for one", r"session is not read-only|server is not in hot standby mode"),
    ServerError("pooler_cannot_connect", "the connection pooler cannot connect to its server", r"server login|query_wait_timeout|pgbouncer cannot connect"),
    ServerError("tls_required", "the server requires TLS", r"SSL connection is required|SSL required|requires a valid client certificate"),
    ServerError("tls_refused", "the server does not offer TLS, and the connection string requires it", r"does not support SSL"),
    ServerError("certificate", "a certificate of the TLS connection is missing or is not accepted", r"certificate"),
    ServerError("tls_failed", "the TLS handshake failed", r"SSL error|SSL SYSCALL error"),
    ServerError("authentication_failed", "the server refused the authentication", r"^28000$|authentication failed|authentication method"),
    ServerError("permission_denied", "the role may not connect to this database", r"^42501$|permission denied for database"),
    ServerError("uri_not_encoded", "the connection URI is not percent-encoded", r"percent-encoded"),
    ServerError("conninfo_invalid", "the connection string cannot be parsed", r"connection info string|invalid connection option|invalid URI|key/value separator|invalid port number|invalid integer value|invalid \w+ value|unexpected character|looking for matching|service\s+not found"),
    ServerError("proactor_event_loop", "psycopg cannot run on a ProactorEventLoop", r"to run in async mode"),
    ServerError("name_not_resolved", "the host's name cannot be resolved", r"translate host name|resolve host|[Nn]ame or service not known|nodename nor servname|name resolution|getaddrinfo failed|No address associated"),
    ServerError("not_postgresql", "what answers at this address is not PostgreSQL", r"expected authentication request|invalid response to SSL"),
    ServerError("connection_refused", "the connection was refused", r"[Cc]onnection refused"),
    ServerError("socket_missing", "there is no socket file of a server in this directory", r"No such file or directory"),
    ServerError("timed_out", "connecting timed out", r"timeout expired|timed out|connection timeout"),
    ServerError("unreachable", "the network does not reach the host", r"No route to host|[Nn]etwork is unreachable|Host is unreachable|Host is down"),
    ServerError("not_permitted", "the operating system does not permit the connection", r"Permission denied|Operation not permitted"),
    ServerError("server_closed", "the server closed the connection", r"server closed the connection|[Cc]onnection reset|Broken pipe|could not receive data|could not send"),
    ServerError(NOT_RECOGNISED, "connect failed, reason not recognised", r""),
)
# fmt: on

SENTENCES = {error.name: error.sentence for error in _TABLE}


def recognise(text: str, sqlstate: str = "") -> str:
    """The name of what failed, by a message of libpq, PostgreSQL or psycopg, and by its SQLSTATE if it has one."""
    text = re.sub(r"\"[^\"]*\"|'[^']*'", "", text[:4000])
    return next(name for name, pattern in _compiled() if pattern.search(sqlstate or text) or pattern.search(text))


@cache  # most programs need none of them
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((error.name, re.compile(error.pattern)) for error in _TABLE)
