// A server as users of the community module write them for Node. Tells what happens as lines of JSON on its standard
// output, and sends every line of its standard input to the client.
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: true });
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

server.on("listening", () => tell({ port: server.address().port }));
server.on("connection", (socket, request) => {
  tell({ tenant: request.headers["x-tenant"], extensions: socket.extensions });
  require("readline").createInterface({ input: process.stdin }).on("line", (line) => socket.send(line));
  socket.on("message", (data, isBinary) =>
    tell(isBinary ? { audio: data.toString("base64") } : { text: data.toString() }));
  socket.on("close", (code, reason) => tell({ closed: code, reason: reason.toString() }));
});
