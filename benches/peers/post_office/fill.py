"""fill.py MESSAGES < TEMPLATE: makes the database and queues messages whose template is rendered on delivery."""
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django

django.setup()
from django.core.management import call_command
from post_office import mail
from post_office.models import EmailTemplate

call_command("migrate", verbosity=0)
messages = int(sys.argv[1])
template = EmailTemplate.objects.create(
    name="invoice", subject="Invoice {{ number }}", content=sys.stdin.read()
)


def one(number):
    return {
        "sender": "bench@example.com",
        "recipients": [f"u{number}@example.com"],
        "template": template,
        "context": {"number": number, "name": f"u{number}"},
        "render_on_delivery": True,
    }


for start in range(0, messages, 500):
    mail.send_many([one(number) for number in range(start, min(start + 500, messages))])
