#!/bin/sh
# The voice gateway's whole HTTP API, by curl: ./scripts/test_http_streaming.sh [URL]
#
# URL is http://localhost:3105 unless it or GATEWAY_URL says otherwise. From the environment: API_KEY where the server
# wants one (API_KEY_HEADER: the header it is shown in, Authorization: Bearer unless told otherwise), TENANT_ID, STORE_ID,
# DID, CALLER_NUMBER and AI_AGENT_REF of the call. It runs against any server of that API; the call ends in any case.
# Exit status: 0 all is well, 1 something is not, 2 it could not be tried.
set -u

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }

fail() {
    echo "$*" >&2
    exit 2
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
-*) fail "There is no option $1: see $0 --help" ;;
esac
[ $# -le 1 ] || fail "One URL is enough: see $0 --help"

url=${1:-${GATEWAY_URL:-http://localhost:3105}}
url=${url%/}
case $url in
http://?* | https://?*) ;;
*) fail "$url is no URL: it begins with http:// or https://, such as http://localhost:3105" ;;
esac
missing=
for program in curl base64 sed grep head tr mktemp; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -z "$missing" ] || fail "These programs are missing:$missing. On Debian: apt-get install curl coreutils sed grep"

umask 077
work=$(mktemp -d) || fail "There is no room for temporary files: set TMPDIR to a folder that can be written to"
call_id=test-$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
call=$url/api/voice/stream/$call_id
session=$url/api/voice/session/$call_id
nobody=$url/api/voice/stream/no-such-$call_id
tenant=${TENANT_ID:-00000000-0000-0000-0000-000000000001}
passed=0
failed=0
live=

finish() {
    [ -z "$live" ] || request POST "$session/end"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The key goes by a file, because everybody on the machine may read a command line.
if [ -n "${API_KEY:-}" ]; then
    header=${API_KEY_HEADER:-Authorization}
    value=$API_KEY
    [ "$header" != Authorization ] || value="Bearer $API_KEY"
    printf 'header = "%s: %s"\n' "$header" "$(printf %s "$value" | sed 's/[\\"]/\\&/g')" >"$work/key"
else
    : >"$work/key"
fi

# request METHOD URL [FILE]: the answer's body is then in $work/body, its status in $status, and the time in $took.
request() {
    body=${3:-}
    set -- --silent --show-error --max-time "${TIMEOUT_SECS:-70}" --config "$work/key" --request "$1" \
        --output "$work/body" --write-out '%{http_code} %{time_total}' "$2"
    [ -z "$body" ] || set -- "$@" --header "Content-Type: application/json" --data-binary "@$body"
    : >"$work/body"
    said=$(curl "$@" 2>"$work/complaint") || true
    status=${said%% *}
    took=${said#* }
}

# has FIELD PATTERN: whether the answer has a JSON field whose value begins like this (an extended regular expression).
has() { tr -d '\n\r' <"$work/body" | grep -Eq "\"$1\"[[:space:]]*:[[:space:]]*$2"; }

# check TITLE STATUS [FIELD PATTERN]…: one line about the answer to the last request; false where it is not as it should
# be. STATUS may be several with | between them.
check() {
    title=$1
    wanted=$2
    shift 2
    wrong=
    case "|$wanted|" in
    *"|$status|"*) ;;
    *) wrong="HTTP status $status, not $(printf %s "$wanted" | sed 's/|/ or /g')" ;;
    esac
    while [ -z "$wrong" ] && [ $# -ge 2 ]; do
        has "$1" "$2" || wrong="no \"$1\": $(printf %s "$2" | sed 's/\[\^"\]+/…/; s/\\//g') in the answer"
        shift 2
    done
    if [ -z "$wrong" ]; then
        passed=$((passed + 1))
        printf 'ok    %-62s %s  %s s\n' "$title" "$status" "$took"
        return 0
    fi
    failed=$((failed + 1))
    printf 'WRONG %-62s %s\n' "$title" "$wrong"
    [ ! -s "$work/complaint" ] || sed 's/^/        /' "$work/complaint"
    [ ! -s "$work/body" ] || printf '        the answer: %s\n' "$(tr -d '\n\r' <"$work/body" | head -c 300)"
    return 1
}

# Every error is to be described: a JSON object with a text in it.
refused() { check "$1" "$2" '[A-Za-z_]+' '("[^"]+|\[|\{)'; }

# tone FILE MILLISECONDS: {"audio": …} with a tone of 1 kHz, PCM16 of 16 kHz, in multiples of 10 ms.
tone() {
    period='\100\037\100\037\100\037\100\037\100\037\100\037\100\037\100\037'
    period=$period'\300\340\300\340\300\340\300\340\300\340\300\340\300\340\300\340'
    ten=$period$period$period$period$period$period$period$period$period$period
    parts=0
    {
        printf '{"audio":"'
        while [ "$parts" -lt $(($2 / 10)) ]; do
            # shellcheck disable=SC2059  # these are octal escapes
            printf "$ten"
            parts=$((parts + 1))
        done | base64 | tr -d '\n'
        printf '"}'
    } >"$1"
}

echo "The API of $url, call $call_id"
cat >"$work/create" <<END
{"callId": "$call_id", "tenantId": "$tenant", "storeId": "${STORE_ID:-50000000-0000-0000-0000-000000000010}",
 "did": "${DID:-5406594427}", "callerNumber": "${CALLER_NUMBER:-393297626144}",
 "aiAgentRef": "${AI_AGENT_REF:-customer-care-voice}"}
END
tone "$work/chunk" 100
printf '{"audio":"this is no base64!"}' >"$work/no-base64"
printf '{"audio":"AAAA"}' >"$work/half-a-sample"
printf '{"callId": ' >"$work/no-json"
printf '{}' >"$work/empty"

request GET "$url/health"
if [ "$status" = 000 ]; then
    cat "$work/complaint" >&2
    fail "Nothing answers at $url: is the gateway running, and is this its address? For example
    freeswitch-audio-stream gateway --port 3105"
fi

echo "A session"
request POST "$url/api/voice/session/create" "$work/create"
case $status in
401 | 403)
    refused "create a session" 200
    fail "The server wants an API key: put one that is good for the tenant $tenant into API_KEY"
    ;;
esac
if check "create a session" '200|201' sessionId "\"$call_id\"" status '"created"'; then live=1; fi
request POST "$url/api/voice/session/create" "$work/create"
check "create it again" '200|201' sessionId "\"$call_id\"" status '"existing"'

echo "Audio there and back"
sent=0
while [ "$sent" -lt 10 ]; do
    request POST "$call" "$work/chunk"
    sent=$((sent + 1))
    check "stream 100 ms of a tone ($sent of 10)" 200 status '"streamed"' || break
done
request GET "$call/response?timeout=5000"
check "poll the agent's answer" 200 audio '("|null)' transcript '("|null)' hasMore '(true|false)'
heard=0
polls=0
while [ "$status" = 200 ] && [ "$polls" -lt 20 ]; do
    characters=$(tr -d '\n\r' <"$work/body" | sed -n 's/.*"audio"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' | wc -c)
    heard=$((heard + characters * 3 / 4 / 32))
    has transcript '"[^"]' && echo "      the agent: $(tr -d '\n\r' <"$work/body" |
        sed -n 's/.*"transcript"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p')"
    has hasMore true || break
    request GET "$call/response?timeout=1000"
    polls=$((polls + 1))
done
if [ "$heard" -gt 0 ]; then
    echo "      the agent has answered with $heard ms of audio so far"
else
    echo "      the agent has said nothing to a tone, which is an agent's right (echo would have)"
fi

echo "Information"
request GET "$session"
check "the session" 200 callId "\"$call_id\"" status '"active"' createdAt '"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^"]+' \
    lastActivity '"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^"]+' transcriptCount '[0-9]' actionsCount '[0-9]'
request GET "$url/api/voice/sessions"
check "all sessions" 200 sessions '\[' count '[1-9]' callId "\"$call_id\""

echo "Errors"
request POST "$call" "$work/no-base64"
refused "audio that is no base64" 400
request POST "$call" "$work/half-a-sample"
refused "audio that ends within a sample" 400
request POST "$call" "$work/empty"
refused "no audio at all" '400|422'
request POST "$url/api/voice/session/create" "$work/empty"
refused "a session without callId" '400|422'
request POST "$url/api/voice/session/create" "$work/no-json"
refused "a body that is no JSON" '400|422'
request POST "$nobody" "$work/chunk"
refused "audio for a session that does not exist" 404
request GET "$nobody/response?timeout=100"
refused "an answer of a session that does not exist" 404
request GET "$url/api/voice/session/no-such-$call_id"
refused "information of a session that does not exist" 404
request POST "$url/api/voice/session/no-such-$call_id/end"
refused "the end of a session that does not exist" 404
if [ -n "${API_KEY:-}" ]; then
    mv "$work/key" "$work/right-key"
    : >"$work/key"
    request GET "$session"
    refused "the session without the API key" '401|403'
    mv "$work/right-key" "$work/key"
fi

echo "The end"
request POST "$session/end"
if check "end the session" 200 status '"ended"' summary '\{' callId "\"$call_id\"" duration '[0-9]' \
    transcript '\[' actions '\['; then live=; fi
request GET "$session"
refused "it is gone" 404

echo
if [ "$failed" -gt 0 ]; then
    echo "$failed of $((passed + failed)) answers are not as they should be."
    exit 1
fi
echo "All $passed answers are as they should be."
