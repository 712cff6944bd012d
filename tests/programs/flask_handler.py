from flask import Flask, request
import json

app = Flask(__name__)


@app.route("/api", methods=["GET", "POST"])
def api():
    return json.dumps(json.loads(request.data))


app.run()
