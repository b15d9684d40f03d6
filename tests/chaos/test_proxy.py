"""The proxy loses the answer to a COMMIT, in whichever form it is sent; the COMMIT arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.chaos.proxy import Proxy
from tests.conftest import Servers

pytestmark = pytest.mark.drill

Session = psycopg.Connection[Any]


@pytest.fixture
def proxy(servers: Servers) -> Iterator[Proxy]:
    made = Proxy(lambda: servers.postgres.port, is_postgres=True)
    yield made
    made.close()


@pytest.fixture
def connect(servers: Servers, proxy: Proxy) -> Iterator[Callable[..., Session]]:
    """Connects as the owner, through the proxy unless told otherwise, to a table of its own."""
    facts = conninfo_to_dict(servers.postgres.owner_url)

    def connect(**changes: Any) -> Session:
        return psycopg.connect(**{**facts, **changes}, autocommit=True)

    with connect() as session:
        session.execute("CREATE TABLE chaos_proxy (word text)")
    yield lambda: connect(port=proxy.port)
    with connect() as session:
        session.execute("DROP TABLE chaos_proxy")


def simple(session: Session) -> None:
    session.pgconn.exec_(b"BEGIN")
    session.pgconn.exec_(b"INSERT INTO chaos_proxy VALUES ('kept')")
    if session.pgconn.exec_(b"COMMIT").status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError(session.pgconn.error_message)


def extended(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO chaos_proxy VALUES (%s)", ["kept"])
    session.execute("COMMIT", prepare=False, binary=True)


def all_in_one_packet(session: Session) -> None:
    with session.pipeline():
        session.execute("BEGIN")
        session.execute("INSERT INTO chaos_proxy VALUES (%s)", ["kept"])
        # More than the server collects before it sends: its answer begins before the COMMIT.
        session.execute("SELECT repeat('x', 100000)")
        session.execute("COMMIT")


def prepared(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO chaos_proxy VALUES (%s)", ["kept"])
    session.execute("COMMIT", prepare=True)


@pytest.mark.parametrize("end", [simple, extended, all_in_one_packet, prepared])
def test_a_commit_arrives_and_its_answer_does_not(
    proxy: Proxy, connect: Callable[..., Session], end: Callable[[Session], None]
) -> None:
    session = connect()
    end(session)  # once in peace: what is prepared, is prepared now
    proxy.cut_commits(1)
    with pytest.raises(psycopg.OperationalError):
        end(session)
    assert proxy.commits_cut == 1
    with connect() as other:
        assert other.execute("SELECT count(*) FROM chaos_proxy").fetchone() == (2,)


def test_a_transaction_that_failed_before_its_commit_is_cut_as_well(
    proxy: Proxy, connect: Callable[..., Session]
) -> None:
    proxy.cut_commits(1)
    session = connect()
    # The division's error may come back before the connection's end, or be lost with it.
    with pytest.raises(psycopg.Error), session.pipeline():
        session.execute("BEGIN")
        session.execute("INSERT INTO chaos_proxy VALUES (1 / 0)")
        session.execute("COMMIT")
    assert session.broken
    assert proxy.commits_cut == 1


def test_the_word_in_a_text_is_no_commit(proxy: Proxy, connect: Callable[..., Session]) -> None:
    proxy.cut_commits(1)
    with connect() as session:
        session.execute("INSERT INTO chaos_proxy VALUES (%s)", ["COMMIT"])
        session.execute("SELECT 'COMMIT', %s, %s", ["COMMIT", 1])
    assert proxy.commits_cut == 0
