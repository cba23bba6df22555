// Starts a stream on a call and follows it to its end; needs nothing but Node.
//
//   node follow.mjs <uuid>
import { connect } from "node:net";

const [uuid, port = "8021", server = "ws://127.0.0.1:8080/"] = process.argv.slice(2);
const socket = connect(Number(port), "127.0.0.1");
const commands = [
  "auth ClueCon",
  "event json CUSTOM mod_audio_stream::stream_started mod_audio_stream::stream_stopped",
  `api uuid_audio_stream ${uuid} demo start ${server} inbound 8000 5 1`,
];
let received = Buffer.alloc(0);

// Each message is a block of headers and, where it has a Content-Length, so many bytes.
socket.on("data", (data) => {
  received = Buffer.concat([received, data]);
  for (let end; (end = received.indexOf("\n\n")) >= 0; ) {
    const headers = received.subarray(0, end).toString();
    const length = Number(/^Content-Length: (\d+)$/m.exec(headers)?.[1] ?? 0);
    if (received.length < end + 2 + length) return;
    handle(headers, received.subarray(end + 2, end + 2 + length).toString());
    received = received.subarray(end + 2 + length);
  }
});

function handle(headers, body) {
  if (headers.includes("Content-Type: text/event-json")) {
    const event = JSON.parse(body);
    console.log(event["Event-Subclass"], event["Unique-ID"], event._body);
    const isOver = event["Event-Subclass"].endsWith("::stream_stopped");
    if (isOver && event["Unique-ID"] === uuid) socket.end();
    return;
  }
  if (body) console.log(body.trim());
  // The next command, when the last has been answered.
  if (commands.length) socket.write(`${commands.shift()}\n\n`);
}
