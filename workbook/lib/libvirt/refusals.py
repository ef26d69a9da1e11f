"""Refusals by libvirt itself, with its messages, before QEMU is started.

Message texts: src/conf/{domain_conf,domain_validate,domain_postparse,numa_conf,cpu_conf}.c,
src/qemu/{qemu_validate,qemu_domain,qemu_command}.c and src/util/virxml.c (libvirt 11.3). The first words tell the
class of error as ``virsh`` prints it (src/util/virerror.c).
"""

from workbook.lib.errors import Refusal

__all__ = ("bad_attribute", "internal_error", "refused", "unsupported", "xml_error")


def refused(message: str, advice: str) -> Refusal:
    """Return a refusal by libvirt whose text has no class in front (``VIR_ERR_XML_DETAIL``)."""
    return Refusal(message, advice, who="libvirt")


def unsupported(message: str, advice: str) -> Refusal:
    """Return a refusal of a configuration (``VIR_ERR_CONFIG_UNSUPPORTED``)."""
    return refused(f"unsupported configuration: {message}", advice)


def xml_error(message: str, advice: str) -> Refusal:
    """Return a refusal of XML that does not make sense (``VIR_ERR_XML_ERROR``)."""
    return refused(f"XML error: {message}", advice)


def internal_error(message: str, advice: str) -> Refusal:
    """Return a refusal that libvirt files under its own faults (``VIR_ERR_INTERNAL_ERROR``)."""
    return refused(f"internal error: {message}", advice)


def bad_attribute(tag: str, name: str, value: str, allowed: tuple[str, ...], *, tristate: bool = False) -> Refusal:
    """Return the refusal of an attribute whose value is none of `allowed` (``virXMLPropEnum``)."""
    expected = f" Expected {' or '.join(map(repr, allowed))}" if tristate else ""
    return xml_error(
        f"Invalid value for attribute '{name}' in element '{tag}': '{value:.60}'.{expected}",
        f"allowed are {', '.join(allowed)}",
    )
