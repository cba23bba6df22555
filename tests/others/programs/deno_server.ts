// A server for the community module, on Deno's own HTTP server: counts what it hears, keeps it in a file, and says it
// back when asked.
const [port, path] = Deno.args;
const file = await Deno.open(path, { create: true, write: true });

Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen: () => {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  const heard: Uint8Array[] = [];
  let bytes = 0;
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      const audio = new Uint8Array(data);
      heard.push(audio);
      bytes += audio.length;
      file.writeSync(audio);
    } else if (data === "play") {
      const all = new Uint8Array(bytes);
      let at = 0;
      for (const part of heard) {
        all.set(part, at);
        at += part.length;
      }
      const audioData = (all as Uint8Array & { toBase64(): string }).toBase64();
      socket.send(JSON.stringify({ type: "streamAudio", data: { audioDataType: "raw", sampleRate: 8000, audioData } }));
    } else if (data === "bye") {
      console.log("heard", bytes);
      socket.close(1000);
    } else {
      console.log("metadata", data);
    }
  };
  return response;
});
