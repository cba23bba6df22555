// A server for streams without a stream id, the community module's kind: hears L16 in binary
// messages, and answers each second of it with a streamAudio.
//
//   npm install ws
//   node community_server.mjs [port]
import { WebSocketServer } from "ws";

const RATE = 8000;
const port = Number(process.argv[2] ?? 8080);
const server = new WebSocketServer({ host: "127.0.0.1", port });

server.on("listening", () => console.log("listening on port", server.address().port));
server.on("connection", (socket) => {
  let heard = [];
  socket.on("message", (data, isBinary) => {
    // Text is the metadata first, then digits, then the text of stop.
    if (!isBinary) return console.log("text:", data.toString());
    heard.push(data);
    const audio = Buffer.concat(heard);
    if (audio.length < 2 * RATE) return;
    heard = [];
    const audioData = audio.toString("base64");
    const said = { audioDataType: "raw", sampleRate: RATE, audioData };
    socket.send(JSON.stringify({ type: "streamAudio", data: said }));
  });
  socket.on("close", (code) => console.log("closed:", code));
});
