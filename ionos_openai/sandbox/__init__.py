"""A stand-in for the service that needs neither token nor network, for tests and first steps.

It answers as the service is publicly known to answer, draws placeholder pictures that say what they are, and tells for
each of its behaviours how that is known (`behaviours.py`). It is never used unless it is asked for.
"""

from __future__ import annotations

from ionos_openai.sandbox.limits import Limits, Rate
from ionos_openai.sandbox.server import SandboxServer
from ionos_openai.sandbox.service import Sandbox
from ionos_openai.sandbox.wire import SandboxRequest, SandboxResponse

__all__ = ["Limits", "Rate", "Sandbox", "SandboxRequest", "SandboxResponse", "SandboxServer"]
