"""A head that is not there is told in seconds; sockets of this process stand for it."""

import socket
import threading

import pytest

from d2ace.pipeline.common.cluster.address import require_head
from d2ace.pipeline.common.errors import RunError

SETTINGS_FRAME = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture
def answering():
    """Return a function that listens at a port, answers one connection with some bytes, and returns the address."""
    ends = []

    def serve(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        ends.append(listener)

        def reply():
            connection, _ = listener.accept()
            ends.append(connection)
            connection.recv(100)
            if answer:
                connection.sendall(answer)

        thread = threading.Thread(target=reply, daemon=True)
        thread.start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for end in ends:
        end.close()


@pytest.mark.parametrize("address", ["", "auto", "local"])
def test_words_that_ray_looks_up_are_left_to_it(address):
    require_head(address)


def test_a_head_is_told_by_its_http_2(answering):
    require_head(answering(SETTINGS_FRAME))
    require_head("ray://" + answering(SETTINGS_FRAME))


def test_an_address_where_nobody_listens(answering):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(
        RunError, match=rf"RAY_ADDRESS={address}: no Ray head answers there \(Connection refused\).*unset"
    ):
        require_head(address)


def test_another_service_is_no_head(answering):
    with pytest.raises(RunError, match="is it the port of the dashboard"):
        require_head(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def test_an_open_port_that_says_nothing_is_given_up(answering):
    with pytest.raises(RunError, match=r"within 0\.2 s"):
        require_head(answering(b""), timeout_s=0.2)


@pytest.mark.parametrize("address", ["somewhere", "host:many", "[::1:6379"])
def test_what_is_no_address(address):
    with pytest.raises(RunError, match=r"expected HOST:PORT|no address"):
        require_head(address)
