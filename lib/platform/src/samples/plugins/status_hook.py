"""Stands in for the documents' status hook where that is absent: like there, one constant is not imported."""

import time

from constants import AGENT_READY, AGENT_AUX
from error import ProcessingError

UCS_PLUGIN = 'StatusHook'


class StatusHook:
    """Lunch is between eleven and six."""

    def __init__(self, ucs):
        self.ucs = ucs
        ucs.agents.addChangeStatusHook(self.hook)

    def stop(self):
        self.ucs.agents.removeChangeStatusHook()

    def hook(self, agent, status, reason):
        hour = time.localtime().tm_hour
        if (status, reason) == (AGENT_AUX, 'Oběd'):
            if hour < 11:
                return None, 'Na oběd je příliš brzy'
            if hour >= 18:
                raise ProcessingError('Už je čas na večeři')
        if agent.status == AGENT_OFFLINE and status == AGENT_READY:
            return AGENT_AUX, 'Seznámení se z provozními pokyny'
        return status, reason
