// nodemailer.js PORT MESSAGES CONNECTIONS < TEXT: nodemailer's pooled transport, no queue. TEXT is the body.
const nodemailer = require('nodemailer');

const [port, messages, connections] = process.argv.slice(2).map(Number);
const text = require('fs').readFileSync(0, 'utf8');
const transport = nodemailer.createTransport({
  host: '127.0.0.1', port, pool: true, maxConnections: connections, maxMessages: Infinity, ignoreTLS: true,
});
let next = 0;

async function sendSome() {
  while (next < messages) {
    const number = next++;
    await transport.sendMail({
      from: 'bench@example.com', to: `u${number}@example.com`, subject: `Invoice ${number}`, text,
    });
  }
}

// twice as many at work as connections, so that none waits for us
Promise.all(Array.from({ length: connections * 2 }, sendSome)).then(() => transport.close());
