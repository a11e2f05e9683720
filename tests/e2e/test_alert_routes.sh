#!/bin/sh
# Notifications: the configuration of Alertmanager is written from files of secrets, is valid with every way alone and
# with all, sends each severity where it belongs and as often as the README says; without a way there is none. The relay
# to DingTalk signs, tells refusals and says no secret.
. "$(dirname "$0")/lib.sh"

AM=$HERE/../../monitoring/alertmanager
RELAY=
SECRETS=$WORK/secrets
relay_cleanup() {
  [ -z "$RELAY" ] || kill "$RELAY" 2>/dev/null || true
  cleanup
}
trap relay_cleanup EXIT

put() {
  mkdir -p "$SECRETS"
  while [ $# -gt 0 ]; do
    printf '%s\n' "$2" >"$SECRETS/$1"
    shift 2
  done
}
render() { sh "$AM/render" "$SECRETS" "$WORK/am.yml"; }
valid() {
  render || fail "render"
  amtool check-config "$WORK/am.yml" >"$WORK/check" 2>&1 || fail "$(cat "$WORK/check" "$WORK/am.yml")"
}

mkdir "$SECRETS"
if render 2>"$WORK/refused"; then fail "a configuration that notifies nobody is written"; fi
grep -q webhook_url "$WORK/refused" || fail "render does not say what to do: $(cat "$WORK/refused")"

put smtp_smarthost mail.example:587 smtp_from engine@example smtp_to "o'ps@example" smtp_user u smtp_password sentinel-mail
valid
rm -r "$SECRETS"
put webhook_url http://127.0.0.1:9/
valid
put telegram_token 123:sentinel-telegram telegram_chat -100123
valid
put slack_url https://hooks.slack.example/sentinel-slack slack_channel '#ops'
valid
put wecom_corp corp wecom_agent 1000002 wecom_secret sentinel-wecom wecom_to '@all'
valid
put dingtalk_relay http://127.0.0.1:8060/
put smtp_smarthost mail.example:587 smtp_from engine@example smtp_to ops@example smtp_user u smtp_password sentinel-mail
valid
[ "$(stat -c %a "$WORK/am.yml")" = 600 ] || fail "others may read the configuration"
for way in webhook email telegram slack wechat; do grep -q "${way}_configs" "$WORK/am.yml" || fail "no $way"; done
if grep -qE 'sentinel-(mail|slack)' "$WORK/am.yml"; then fail "a secret that Alertmanager reads itself is in its configuration"; fi
if grep -rqE 'bot_token: *[^%]|hooks.slack.com|api_secret: *[^%]' "$AM" --include='*.yml'; then fail "a secret in the source tree"; fi

route() { amtool config routes test --config.file="$WORK/am.yml" "$@" 2>/dev/null; }
for severity in critical warning info; do
  [ "$(route severity=$severity service=mdengine alertname=X)" = $severity ] || fail "$severity goes to $(route severity=$severity)"
done
[ "$(route alertname=Other)" = warning ] || fail "an alert without severity goes to $(route alertname=Other)"
python3 - "$WORK/am.yml" "$AM/../prometheus/rules" <<'END' || fail "routes"
import glob, re, sys
text = open(sys.argv[1]).read()
def repeat(part):
    return re.search(r"repeat_interval: (\w+)", part).group(1)
top, critical, info = re.split(r"- matchers: \['severity", text.split("inhibit_rules:")[0])
assert (repeat(top), repeat(critical), repeat(info)) == ("2h", "10m", "24h")
# Each alert that a rule of inhibition names is there.
names = set(re.findall(r"- alert: (\w+)", "".join(open(f).read() for f in glob.glob(sys.argv[2] + "/*.yml"))))
named = set(re.findall(r"alertname!?=~?\"([\w|]+)\"", text))
named = {n for group in named for n in group.split("|")}
assert len(named) > 10 and named <= names, named - names
END

# --- the relay ---
echo secret-of-robot >"$WORK/secret"
cat >"$WORK/relay.py" <<'END'
import base64, hashlib, hmac, http.server, json, subprocess, sys, threading, time, urllib.error, urllib.parse, urllib.request
program, work = sys.argv[1:]
seen, refuse = [], [0]

class Robot(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sign = hmac.new(b"secret-of-robot", ("%s\nsecret-of-robot" % query["timestamp"]).encode(), hashlib.sha256).digest()
        seen.append((query, body, base64.b64encode(sign).decode() == query["sign"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"errcode": refuse[0]}).encode())
    def log_message(self, *args):
        pass

robot = http.server.HTTPServer(("127.0.0.1", 0), Robot)
threading.Thread(target=robot.serve_forever, daemon=True).start()
open(work + "/url", "w").write("http://127.0.0.1:%d/robot/send?access_token=token-of-this-test\n" % robot.server_port)
port = int(open(work + "/port").read())

def post(body):
    request = urllib.request.Request("http://127.0.0.1:%d/" % port, body)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
        return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()

alerts = {"status": "firing", "commonLabels": {"alertname": "MdengineDown"}, "alerts": [
    {"status": "firing", "labels": {"severity": "critical"}, "annotations": {"summary": "it is down", "runbook_url": "page"}}] * 300}
body = json.dumps(alerts).encode()
for _ in range(600):
    try:
        status, text = post(body)
        break
    except OSError:
        time.sleep(0.1)
assert status == 200, text
query, sent, right = seen[0]
assert right and query["access_token"] == "token-of-this-test", query
assert sent["markdown"]["title"] == "firing: MdengineDown" and "it is down" in sent["markdown"]["text"]
assert len(sent["markdown"]["text"].encode()) < 20000
refuse[0] = 310000
status, text = post(body)
assert status == 502 and b"token" not in text and b"secret" not in text, text
robot.shutdown()
robot.server_close()
status, text = post(body)
assert status == 502 and b"token" not in text, text
for wrong in (b"", b"[]", b"{", b'{"status":1}'):
    assert post(wrong)[0] == 400, wrong
print(len(seen), "messages")
END
python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$WORK/port"
: >"$WORK/url"
"$AM/dingtalk" "$(cat "$WORK/port")" "$WORK/url" "$WORK/secret" 2>"$WORK/relay.log" &
RELAY=$!
python3 "$WORK/relay.py" "$AM/dingtalk" "$WORK" || fail "the relay: $(tail -n 5 "$WORK/relay.log")"
if grep -qE 'token-of-this|secret-of' "$WORK/relay.log"; then fail "a secret in the log of the relay"; fi
