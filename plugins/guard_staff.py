"""Sample: only the owner deletes users, and logins have at least three letters.

Copy it from share/plugins/ to plugins/, then: gatepost plugin load guard_staff
"""

from error import InvalidDataInput, PermissionDenied

UCS_PLUGIN = 'GuardStaff'


class GuardStaff:
    """Middleware: stands around functions, whatever name they are called by."""

    def __init__(self, ucs):
        self.ucs = ucs
        ucs.api.addMiddleware('user.edit', self.edited)
        ucs.api.addMiddleware('user.delete', self.deleted)

    def stop(self):
        self.ucs.api.removeMiddleware('user.edit', self.edited)
        self.ucs.api.removeMiddleware('user.delete', self.deleted)

    def edited(self, handler, user, data):
        if data.get('username') is not None and len(data['username']) < 3:
            raise InvalidDataInput({'username': 'three letters at least'})
        result = handler(user, data)
        self.ucs.log.info('user %s saved by %s', result.get('id'), user['username'])
        return result

    def deleted(self, handler, user, ids):
        if user['level'] != 'super':
            raise PermissionDenied('only the owner deletes users')
        return handler(user, ids)
