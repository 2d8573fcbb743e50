"""Which network addresses a webhook may go to. Pure; what is not here: looking names up, connecting.

An IPv6 address that carries an IPv4 one (mapped, translated, NAT64, 6to4, Teredo) is judged by that: it leads there.
Private and loopback addresses are allowed, because an admin named the host; what no receiver ever has is not.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

#: In the last 32 bits: NAT64, and what SIIT translates.
_LAST_BITS = (
    ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::ffff:0:0:0/96"),
)  # fmt: skip
_V4_COMPATIBLE = ip_network("::/96")
#: Never a receiver: this network, reserved; and where clouds tell a machine its own secrets (AWS, GCP, Oracle, Alibaba,
#: Azure) as far as these are not link-local anyway.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "240.0.0.0/4", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32",
        "fd00:ec2::254/128", "fd20:ce::254/128",
    )
)  # fmt: skip


def parse(text: str) -> Address:
    """An address as a resolver gives it, without its zone. ValueError for anything else."""
    return ip_address(text.partition("%")[0])


def may_be_called(address: Address) -> bool:
    """Whether a receiver may have this address."""
    leads_to = _behind(address)
    return not (
        leads_to.is_link_local
        or leads_to.is_multicast
        or leads_to.is_unspecified
        or any(leads_to.version == net.version and leads_to in net for net in _NEVER)
    )


def is_local(address: Address) -> bool:
    """Loopback, private or shared address space: what is sent there does not cross the internet."""
    return not _behind(address).is_global


def _behind(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    low = int(address) & 0xFFFFFFFF
    if any(address in net for net in _LAST_BITS) or (address in _V4_COMPATIBLE and low > 1):
        return IPv4Address(low)
    return address
