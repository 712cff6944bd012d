"""send.py: drains the queue with the command its manual names, in two processes of five threads."""
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django

django.setup()
from django.core.management import call_command

if __name__ == "__main__":
    call_command("send_queued_mail", processes=2)
