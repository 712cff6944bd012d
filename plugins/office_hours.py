"""Sample: nobody becomes ready before eight, and newcomers read the news first.

Copy it from share/plugins/ to plugins/, then: gatepost plugin load office_hours
"""

import time

from constants import AGENT_AUX, AGENT_OFFLINE, AGENT_READY

UCS_PLUGIN = 'OfficeHours'
OPENS = 8


class OfficeHours:
    """Holds the one hook of agents' status."""

    def __init__(self, ucs):
        self.ucs = ucs
        ucs.agents.addChangeStatusHook(self.asked)

    def stop(self):
        self.ucs.agents.removeChangeStatusHook()

    def asked(self, agent, status, reason):
        """What is returned is what the agent is switched to; None with a reason refuses."""
        if status == AGENT_READY and time.localtime().tm_hour < OPENS:
            return None, 'we open at %d' % OPENS
        if agent.status == AGENT_OFFLINE and status == AGENT_READY:
            return AGENT_AUX, 'reading the news'
        return status, reason
