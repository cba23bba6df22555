// A server for Twilio Media Streams made with OpenAI's own transport: relays a call to the Realtime service at argv[2].
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { TwilioRealtimeTransportLayer } = require("@openai/agents-extensions");
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => console.log("port", server.address().port));
server.on("connection", async (call) => {
  const transport = new TwilioRealtimeTransportLayer({ twilioWebSocket: call, url: process.argv[2] });
  transport.on("*", (event) => {
    if (event.type === "twilio_message" && event.message.event !== "media") {
      console.log("twilio", JSON.stringify(event.message));
    }
  });
  transport.on("error", (event) => console.log("error", JSON.stringify(event.error ?? event)));
  call.on("close", (code) => console.log("closed", code));
  await transport.connect({ apiKey: process.env.OPENAI_API_KEY, initialSessionConfig: { voice: "marin" } });
  console.log("connected");
});
