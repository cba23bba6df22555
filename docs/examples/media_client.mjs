// Attaches itself to a call, and says back what the other party says.
//
//   npm install ws
//   node media_client.mjs <call id> <token>
import WebSocket from "ws";

const [callId, token] = process.argv.slice(2);
const url = `ws://127.0.0.1:8088/v1.0/calls/${callId}/media_stream?encapsulation=sln`;
const client = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
client.on("open", () => console.log("attached"));
// 8000 Hz, 16 bits, little-endian, one channel
client.on("message", (audio) => client.send(audio));
client.on("unexpected-response", (request, response) => {
  // The body says what is wrong, and what to do.
  response.on("data", (body) => console.error(response.statusCode, body.toString()));
});
client.on("close", (code) => console.log("closed:", code));
