"""Sample: logs who goes on a break, and every ten minutes who is on one.

Copy it from share/plugins/ to plugins/, then: gatepost plugin load lunch_log
"""

import threading

from constants import AGENT_AUX
from events import EVENT_AGENT_STATUS

UCS_PLUGIN = 'LunchLog'


class LunchLog(threading.Thread):
    """A plugin with a thread of its own: `start` is the thread's."""

    def __init__(self, ucs):
        super().__init__(name='lunch-log')
        self.ucs = ucs
        self.ended = threading.Event()
        ucs.addCallback(EVENT_AGENT_STATUS, self.changed)

    def stop(self):
        self.ucs.removeCallback(EVENT_AGENT_STATUS, self.changed)
        self.ended.set()

    def changed(self, agent, args):
        """After the change: `agent` is as he now is."""
        if agent.status == AGENT_AUX:
            self.ucs.log.info('%s left: %s', agent.displayname, agent.reason)

    def run(self):
        while not self.ended.wait(600):
            away = [agent.displayname for agent in self.ucs.agents.getAgents() if agent.status == AGENT_AUX]
            self.ucs.log.info('away: %s', ', '.join(away) or 'nobody')
