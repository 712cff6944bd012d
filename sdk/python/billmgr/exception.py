"""An error that is a document when it is printed."""

import xml.etree.ElementTree as ElementTree


class XmlException(Exception):
    """<doc><error type= object=>…. `param`: further named texts."""

    def __init__(self, err_type, err_object="", err_value="", param=None):
        super().__init__(err_type, err_object, err_value)
        self.err_type = str(err_type)
        self.err_object = str(err_object)
        self.err_value = str(err_value)
        self.param = dict(param or {})

    def __str__(self):
        words = [self.err_type, self.err_object, self.err_value]
        return ": ".join(word for word in words if word)

    def as_xml(self):
        root = ElementTree.Element("doc")
        error = ElementTree.SubElement(root, "error", {"type": self.err_type})
        named = {"value": self.err_value, **self.param}
        if self.err_object:
            error.set("object", self.err_object)
            named = {"object": self.err_object, **named}
        for name, text in named.items():
            if str(text):
                ElementTree.SubElement(error, "param", {"name": name}).text = str(text)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
