"""Loaded by every Python that the tests start, notebook kernels too: it reaches this machine only.

The lab promises to work on a train. What needs the network must fail here, and loudly.
"""

import ipaddress
import socket

connect = socket.socket.connect


def connect_here(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = address[0].split("%")[0]
        here = host in ("localhost", "") or ipaddress.ip_address(host).is_loopback
        if not here:
            raise OSError(f"the tests allow no network, and something asked for {address[0]}")
    return connect(self, address)


socket.socket.connect = connect_here
