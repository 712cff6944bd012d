"""Stands in for the documents' example where that is absent: the same registrations, the same lines."""

import threading

from constants import AGENT_AUX
from events import EVENT_AGENT_STATUS

UCS_PLUGIN = 'Example'
LUNCH = 'Oběd'


class Example(threading.Thread):
    """A thread that is told of lunches, and looks for them."""

    def __init__(self, ucs):
        super().__init__(self)
        self.name = 'ExamplePluginThread'
        self.ucs = ucs
        self.ends = False
        self.work = threading.Event()
        ucs.addCallback(EVENT_AGENT_STATUS, self.changed)

    def changed(self, agent, args):
        if (agent['status'], agent['reason']) == (AGENT_AUX, LUNCH):
            self.ucs.log.info(f'Agent {agent["displayname"]} odešel na oběd')

    def run(self):
        while not self.ends:
            for agent in self.ucs.agents.getAgents():
                if (agent['status'], agent['reason']) == (AGENT_AUX, LUNCH):
                    self.ucs.log.info(f'Agent {agent["displayname"]} je na obědě')
            self.work.wait(60)
            self.work.clear()

    def stop(self):
        self.ucs.removeCallback(EVENT_AGENT_STATUS, self.changed)
        self.ends = True
        self.work.set()
