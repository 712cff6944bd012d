"""Stands in for the documents' shared data hook where that is absent."""

from error import ProcessingError

UCS_PLUGIN = 'SharedDataHook'


class SharedDataHook:
    """Names of users become their ids."""

    def __init__(self, ucs):
        self.ucs = ucs
        ucs.shared.addChangeHook('agent_emails', self.hook)

    def stop(self):
        self.ucs.shared.removeChangeHook('agent_emails')

    def hook(self, identificator, old_data, new_data):
        if not isinstance(new_data, dict):
            raise ProcessingError('Only associative array is accepted')
        ids = {name: number for number, name in self.ucs.tree.getUsers('username').items()}
        data = {}
        for name, count in new_data.items():
            number = ids.get(name)
            if not number:
                self.ucs.log.warn('Unknown username: %s', name)
                continue
            data[number] = count
            old = old_data.get(number)
            if old is not None:
                self.ucs.log.dbug('User ID %d email count changed from %s to %s', number, old, count)
        return data
