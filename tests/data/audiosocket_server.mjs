// An AudioSocket server on npm's package asterisk-audiosocket, for the tests. Says on its standard output what it
// hears, a line of JSON each; plays, paced by the package, the samples of the file that is its second argument, and hangs
// up when that is over and `hangup` is its third.
import { readFileSync } from 'node:fs';

const [library, file, end] = process.argv.slice(2);
const { AudioSocketServer } = await import(library);
const tell = (fact) => process.stdout.write(JSON.stringify(fact) + '\n');
const server = new AudioSocketServer({ host: '127.0.0.1', port: 0 });

server.on('connection', (call) => {
  call.on('id', (uuid) => {
    tell({ id: uuid });
    call.play(readFileSync(file)).then(() => {
      tell({ played: true });
      if (end === 'hangup') call.hangup();
    });
  });
  call.on('audio', (pcm) => tell({ audio: pcm.toString('base64') }));
  call.on('hangup', () => tell({ hangup: true }));
  call.on('error', (error) => tell({ error: String(error) }));
});

await server.listen();
tell({ port: server.address.port });
process.stdin.on('end', () => process.exit(0)).resume();
