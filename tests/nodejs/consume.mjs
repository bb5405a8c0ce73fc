// Reads what one channel of docs/asyncapi.json has now, with a NATS client that isn't Moot's.
// What to subscribe to, and what a message has to be like, it reads from that document.
//
//   node consume.mjs docs/asyncapi.json 127.0.0.1:4222 topic

import { readFile } from "node:fs/promises";
import { connect } from "nats";

const [, , documentPath, servers, name] = process.argv;
const described = JSON.parse(await readFile(documentPath, "utf8"));
const at = (reference) =>
  reference
    .slice(2)
    .split("/")
    .reduce((place, step) => place[step], described);

const channel = described.channels[name];
const stream = channel["x-jetstream-stream"];
const subject = channel.address.replace("{id}", "*");
const messages = Object.fromEntries(
  Object.entries(channel.messages).map(([type, { $ref }]) => [type, at($ref)]),
);

const connection = await connect({ servers });
const consumer = await connection.jetstream().consumers.get(stream, { filterSubjects: [subject] });
const { num_pending: waiting } = await consumer.info();
const read = [];
if (waiting > 0) {
  for await (const message of await consumer.consume()) {
    const event = message.json();
    const known = messages[event.type];
    const [envelope] = known ? known.payload.allOf.map(({ $ref }) => ($ref ? at($ref) : null)) : [];
    read.push({
      position: message.seq,
      type: event.type,
      subject: message.subject,
      known: known !== undefined,
      lacking: (envelope?.required ?? []).filter((attribute) => !(attribute in event)),
      contentType: message.headers.get("Content-Type"),
      id: message.headers.get("Nats-Msg-Id") === event.id,
    });
    if (read.length === waiting) break;
  }
}
await connection.close();
console.log(JSON.stringify({ subject, contentType: described.defaultContentType, read }));
