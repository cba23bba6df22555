// An audio server made with jambonz' own SDK: says back what it hears, and interrupts itself at a digit.
import http from "node:http";
import { createRequire } from "node:module";

const { createEndpoint } = createRequire(`${process.cwd()}/`)("@jambonz/sdk/websocket");
const server = http.createServer();
const makeService = createEndpoint({ server });

makeService.audio({ path: "/audio" }).on("connection", (stream) => {
  console.log("call", JSON.stringify(stream.metadata));
  let heard = 0;
  stream.on("audio", (samples) => {
    stream.sendAudio(samples);
    heard += samples.length;
    if (heard === 320 * 50) stream.sendMark("one second");
  });
  stream.on("mark", (mark) => console.log("mark", JSON.stringify(mark)));
  stream.on("dtmf", (digit) => {
    console.log("digit", JSON.stringify(digit));
    stream.killAudio();
    stream.playAudio(Buffer.alloc(16000, "\x01\x10").toString("base64"), { sampleRate: 16000, id: "prompt" });
    stream.sendMark("never");
    stream.clearMarks();
  });
  stream.on("playDone", (data) => { console.log("played", JSON.stringify(data)); stream.disconnect(); });
  stream.on("close", (code) => console.log("closed", code));
});
server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
