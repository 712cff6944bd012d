// undici.js PORT MESSAGES CONNECTIONS < FORM: undici's request over kept connections, no queue.
const { Agent, request } = require('undici');

const [port, messages, connections] = process.argv.slice(2).map(Number);
const body = require('fs').readFileSync(0, 'utf8');
const options = {
  method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' },
  dispatcher: new Agent({ connections }),
};
let next = 0;

async function sendSome() {
  while (next++ < messages) {
    const reply = await request(`http://127.0.0.1:${port}/send`, options);
    await reply.body.text();
    if (reply.statusCode !== 200) throw new Error(`status ${reply.statusCode}`);
  }
}

Promise.all(Array.from({ length: connections }, sendSome)).then(() => options.dispatcher.close());
