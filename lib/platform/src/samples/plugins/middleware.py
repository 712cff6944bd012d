"""Stands in for the documents' middleware where that is absent: the same registrations, the same words."""

from error import InvalidDataInput, PermissionDenied

UCS_PLUGIN = "Middleware"


class Middleware:
    """Guards users."""

    def __init__(self, ucs):
        self.ucs = ucs
        self.all = [
            ("config.users.get", self.get),
            ("config.users.edit", self.edit),
            ("config.users.delete", self.delete),
        ]
        for method, guard in self.all:
            ucs.api.addMiddleware(method, guard)

    def stop(self):
        for method, guard in self.all:
            self.ucs.api.removeMiddleware(method, guard)

    def get(self, handler, *args):
        self.ucs.log.dev("Middleware get_user args: %s", args)
        result = handler(*args)
        self.ucs.log.dev("Middleware get_user result: %s", result)
        return result

    def edit(self, handler, user, data):
        if data["id"] == 1:
            if data.get("username", "admin") != "admin":
                raise InvalidDataInput({"username": "Admin username can't be changed"})
            if 0 < len(data.get("password") or "") < 10:
                raise InvalidDataInput({"password": "Admin password is too short"})
        return handler(user, data)

    def delete(self, *args):
        raise PermissionDenied("This UCS forbids user removal")
