// An agent that greets the caller, listens, and answers; a caller who speaks meanwhile interrupts
// it. Its answer is what the caller has just said. Put speech recognition, a model and a voice
// where `answer` is.
//
//   npm install ws
//   node talking_agent.mjs greeting.wav [port]
//
// greeting.wav: one channel of 16 bits
import { readFileSync } from "node:fs";
import { WebSocketServer } from "ws";

const LOUD = 500; // mean size of the samples of a message in which somebody speaks
const PAUSE = 0.7; // seconds of quiet after which the caller is taken to have finished
const [file, port = "8080"] = process.argv.slice(2);
const wav = readFileSync(file);
const greeting = wav.subarray(wav.indexOf("data") + 8); // behind the chunk's name and length
const greetingRate = wav.readUInt32LE(24);

const answer = (said) => said;

function loudness(audio) {
  let sum = 0;
  for (let at = 0; at < audio.length; at += 2) sum += Math.abs(audio.readInt16LE(at));
  return sum / (audio.length / 2);
}

class Conversation {
  constructor(socket, start) {
    this.socket = socket;
    this.rate = start.rate;
    this.said = [];
    this.quiet = 0;
    this.playing = null; // the checkpoint at the end of what the caller is hearing
    this.number = 0;
    this.play(greeting, greetingRate);
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  play(audio, sampleRate) {
    this.number += 1;
    this.playing = `answer-${this.number}`;
    const audioData = audio.toString("base64");
    const payload = { audioData, sampleRate, format: "LINEAR16", checkpoint: this.playing };
    this.send({ event: "media.play", payload });
  }

  hear(audio) {
    if (loudness(audio) > LOUD) {
      // The caller has begun to speak: be silent.
      if (this.playing) this.send({ event: "media.clear" });
      this.said.push(audio);
      this.quiet = 0;
    } else if (this.said.length) {
      this.said.push(audio);
      this.quiet += audio.length / 2 / this.rate;
      if (this.quiet >= PAUSE) {
        this.play(answer(Buffer.concat(this.said)), this.rate);
        this.said = [];
      }
    }
  }

  reached(checkpoint) {
    if (checkpoint === this.playing) this.playing = null;
  }
}

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port) });
server.on("listening", () => console.log("listening on port", server.address().port));
server.on("connection", (socket) => {
  let conversation;
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    if (message.event === "media") {
      conversation.hear(Buffer.from(message.audio, "base64"));
      return;
    }
    console.log(JSON.stringify(message));
    if (message.event === "start") conversation = new Conversation(socket, message);
    if (message.event === "checkpoint") conversation.reached(message.name);
    // # ends the stream; 1000 says: do not connect again.
    if (message.event === "dtmf" && message.digit === "#") socket.close(1000, "bye");
  });
});
