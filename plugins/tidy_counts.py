"""Sample: shared data `agent_emails` holds whole numbers from zero up, or is not changed.

Copy it from share/plugins/ to plugins/, then: gatepost plugin load tidy_counts
"""

from error import ProcessingError

UCS_PLUGIN = 'TidyCounts'


class TidyCounts:
    """Holds the hook of one identificator of shared data."""

    def __init__(self, ucs):
        self.ucs = ucs
        ucs.shared.addChangeHook('agent_emails', self.asked)

    def stop(self):
        self.ucs.shared.removeChangeHook('agent_emails')

    def asked(self, identificator, old, new):
        """`old` is None the first time ever."""
        if not isinstance(new, dict):
            raise ProcessingError('a map from agent to number is needed')
        return {agent: max(0, int(count)) for agent, count in new.items()}
