// An event socket client on npm's modesl: starts a stream on a call, says what it is told of it, and ends the call when
// the stream is up.
const { createRequire } = require("node:module");
const esl = createRequire(`${process.cwd()}/`)("modesl");

const [port, uuid, url] = process.argv.slice(2);
const connection = new esl.Connection("127.0.0.1", Number(port), "ClueCon", () => {
  connection.subscribe(["CUSTOM mod_audio_stream::connection_established mod_audio_stream::stream_stopped"], () => {
    connection.api("uuid_audio_stream", [uuid, "s", "start", url, "inbound", "8000", "5", "1"], (answer) =>
      console.log("answer", answer.getBody().trim()));
  });
});
connection.on("esl::event::CUSTOM::*", (event) => {
  const name = event.getHeader("Event-Subclass").split("::")[1];
  console.log(name, event.getHeader("Unique-ID"), JSON.parse(event.getBody()).streamId);
  if (name === "connection_established") connection.api("uuid_kill", [uuid]);
  if (name === "stream_stopped") process.exit(0);
});
