"""The listening socket and one thread per connection: login, then statement after statement."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import ssl
import threading

from mysql_mimic.packets import SSLRequest
from mysql_mimic.types import Commands

from . import wire
from .engine import Result
from .errors import ConnectionCutError, ServerError
from .lexer import first_words, is_write
from .session import Session
from .world import World, access_denied

log = logging.getLogger(__name__)

#: What an OBProxy says, whatever is behind it.
PROXY_HANDSHAKE = "5.6.25"
LOGIN_TIMEOUT = 10.0


class WireServer:
    """Serves a world on a TCP port of the loopback interface."""

    def __init__(self, world: World, *, port: int, proxy: bool, tls: ssl.SSLContext | None) -> None:
        self.world = world
        self.proxy = proxy
        self.tls = tls
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._ids = itertools.count(3221225473)
        self._lock = threading.Lock()
        self._connections: dict[int, socket.socket] = {}
        self._sessions: dict[int, Session] = {}
        self._threads: set[threading.Thread] = set()
        self.stopping = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, name="sandbox-accept", daemon=True)

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Close everything; returns when all threads have ended."""
        self.stopping.set()
        # Closing alone doesn't wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            connections, threads = list(self._connections.values()), list(self._threads)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._acceptor.is_alive():
            self._acceptor.join(timeout=5)
        for thread in threads:
            thread.join(timeout=5)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The logged-in sessions, oldest first."""
        with self._lock:
            return tuple(self._sessions.values())

    def logged_in(self, number: int, session: Session) -> None:
        with self._lock:
            self._sessions[number] = session

    def replace_socket(self, number: int, connection: socket.socket) -> None:
        """The connection goes on over TLS; its old socket object is dead."""
        with self._lock:
            self._connections[number] = connection

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = next(self._ids)
            thread = threading.Thread(
                target=self._serve, args=(number, connection), name=f"sandbox-{number}", daemon=True
            )
            with self._lock:
                self._connections[number] = connection
                self._threads.add(thread)
            thread.start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        client = ClientConnection(self, number, connection)
        try:
            client.run()
        except (wire.DisconnectedError, ConnectionCutError, OSError):
            log.debug("connection %d ended", number)
        except Exception:
            # A defect of the sandbox: shown in its log, never silently a lost connection.
            log.exception("connection %d failed", number)
        finally:
            with contextlib.suppress(OSError):
                client.stream.socket.close()
            with self._lock:
                self._connections.pop(number, None)
                self._sessions.pop(number, None)
                self._threads.discard(threading.current_thread())


class ClientConnection:
    """One connection from handshake to quit."""

    def __init__(self, server: WireServer, number: int, connection: socket.socket) -> None:
        self._server = server
        self._world = server.world
        self._number = number
        self.stream = wire.PacketStream(connection)

    def run(self) -> None:
        self.stream.socket.settimeout(LOGIN_TIMEOUT)
        session = self._login()
        self.stream.socket.settimeout(None)
        if session is None:
            return
        while True:
            packet = self.stream.read()
            command, payload = packet[0], packet[1:]
            if command == Commands.COM_QUIT:
                return
            if command == Commands.COM_QUERY:
                self._query(session, payload.decode("utf-8", "surrogateescape"))
            elif command == Commands.COM_INIT_DB:
                self._init_db(session, payload.decode())
            elif command in {Commands.COM_PING, Commands.COM_RESET_CONNECTION}:
                self.stream.write(wire.ok_packet())
            else:
                self._error(ServerError(1047, "Unknown command"))

    # --- login ----------------------------------------------------------------------------------------

    def _login(self) -> Session | None:
        scramble = wire.new_scramble()
        version = PROXY_HANDSHAKE if self._server.proxy else self._world.cluster.build.handshake
        tls = self._server.tls
        self.stream.write(wire.handshake(version, self._number, scramble, tls=tls is not None))
        response = wire.parse_handshake_response(self.stream.read())
        if isinstance(response, SSLRequest) and tls is not None:
            self.stream.socket = tls.wrap_socket(self.stream.socket, server_side=True)
            self._server.replace_socket(self._number, self.stream.socket)
            response = wire.parse_handshake_response(self.stream.read())
        if isinstance(response, SSLRequest):
            return None
        auth = response.auth_response
        if response.client_plugin and response.client_plugin != wire.AUTH.name:
            self.stream.write(wire.auth_switch(scramble))
            auth = self.stream.read()
        user, tenant = self._world.split_login(response.username, proxy=self._server.proxy)
        account = self._world.account(user, tenant)
        if account is None or not wire.native_password_ok(account[1].password, scramble, auth):
            self._error(access_denied(user, "127.0.0.1", password=bool(auth)))
            return None
        with self._world.locked():
            session = Session(self._world, self._number, *account, response.connect_attrs)
        if response.database:
            try:
                session.use(response.database)
            except ServerError as error:
                self._error(error)
                return None
        self._server.logged_in(self._number, session)
        self.stream.write(wire.ok_packet())
        return session

    def _init_db(self, session: Session, database: str) -> None:
        try:
            session.use(database)
        except ServerError as error:
            self._error(error)
        else:
            self.stream.write(wire.ok_packet())

    # --- statements -----------------------------------------------------------------------------------

    def _query(self, session: Session, sql: str) -> None:
        if first_words(sql, 1) == ("SANDBOX",):
            self._answer(*self._execute(session, sql))
            return
        world = self._world
        seq = world.recorder.begin(
            at=world.now(),
            user=session.user.name,
            tenant=session.tenant.name,
            connection_id=self._number,
            sql=sql,
            writes=is_write(sql),
        )
        outcome: str | int = "LOST"
        try:
            result, error = self._with_faults(session, sql)
            outcome = error.errno if error else "OK"
        finally:
            world.recorder.end(seq, outcome)
        self._answer(result, error)

    def _with_faults(self, session: Session, sql: str) -> tuple[Result | None, ServerError | None]:
        """Run a statement the way the faults want it."""
        faults = self._world.cluster.faults
        if faults.take_cut("drop_before", sql):
            raise ConnectionCutError
        fail = faults.take_error(sql, after=False)
        if fail is not None:
            return None, ServerError(fail.errno, fail.message)
        result, error = self._execute(session, sql)
        result, error = self._wait(session, sql, result, error)
        if faults.take_cut("drop_after", sql):
            raise ConnectionCutError
        fail = faults.take_error(sql, after=True)
        if fail is not None:
            return None, ServerError(fail.errno, fail.message)
        return result, error

    def _execute(self, session: Session, sql: str) -> tuple[Result | None, ServerError | None]:
        with self._world.locked():
            try:
                return session.execute(sql), None
            except ServerError as error:
                return None, error

    def _wait(
        self, session: Session, sql: str, result: Result | None, error: ServerError | None
    ) -> tuple[Result | None, ServerError | None]:
        """Take the time the statement takes; past ob_query_timeout the answer is 4012, whatever has happened."""
        slow = self._world.cluster.faults.delay(sql)
        blocks = error.blocks if error else session.seconds
        timeout = session.query_timeout
        if max(slow, blocks) > timeout:
            # Slow answers are given in real seconds, the server's own blocking in simulated ones.
            self._server.stopping.wait(timeout if slow > timeout else self._world.clock.real_seconds(timeout))
            return None, ServerError(4012)
        seconds = slow + self._world.clock.real_seconds(blocks)
        if seconds > 0:
            self._server.stopping.wait(seconds)
        return result, error

    def _answer(self, result: Result | None, error: ServerError | None) -> None:
        if error is not None:
            self._error(error)
        elif result is None:
            self.stream.write(wire.ok_packet())
        else:
            self.stream.write(*wire.result_packets(result))

    def _error(self, error: ServerError) -> None:
        message = self._world.cluster.error_text(error.message)
        self.stream.write(wire.error_packet(ServerError(error.errno, message)))
