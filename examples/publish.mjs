// Publishes an example of every type of event that may be published, alone, again, and as a batch.
// Needs Node.js >= 18 and nothing else: what to send where, it reads from docs/openapi.json and
// from the catalogue.
//
//   MOOT_PUBLISHING_KEY=moot_pub_… node examples/publish.mjs docs/openapi.json http://127.0.0.1:8080

import { readFile } from "node:fs/promises";

const [, , documentPath, address] = process.argv;
const key = process.env.MOOT_PUBLISHING_KEY;
const api = JSON.parse(await readFile(documentPath, "utf8"));

function operation(name) {
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      if (described.operationId === name) return { path, method: method.toUpperCase(), described };
    }
  }
  throw new Error(`the document has no operation ${name}`);
}

async function ask({ path, method }, headers = {}, body = undefined) {
  const response = await fetch(new URL(path, address), {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  // A problem document: https://www.rfc-editor.org/rfc/rfc9457
  if (!response.ok) throw new Error(`${answer.status} ${answer.code}: ${answer.detail}`);
  return { status: response.status, ...answer };
}

const publishing = operation("publish_events");
const [scheme] = Object.keys(publishing.described.security[0]);
const { scheme: authorization } = api.components.securitySchemes[scheme];
const mediaTypes = Object.keys(publishing.described.requestBody.content);
const single = mediaTypes.find((type) => !type.includes("batch"));
const batch = mediaTypes.find((type) => type.includes("batch"));

const publish = (mediaType, body) =>
  ask(publishing, { Authorization: `${authorization} ${key}`, "Content-Type": mediaType }, body);

const catalogue = await ask(operation("list_contracts"));
const events = catalogue.events
  .filter((contract) => contract.ingestible)
  .map((contract) => ({
    specversion: "1.0",
    id: `${process.env.MOOT_RUN ?? Date.now()}/${contract.type}`,
    source: "/examples/publish.mjs",
    type: contract.type,
    subject: contract.subject.replace("{id}", "from-nodejs"),
    time: new Date().toISOString(),
    data: contract.example,
  }));

const first = await publish(single, events[0]);
const again = await publish(single, events[0]);
const all = await publish(batch, events);
console.log(JSON.stringify({ first, again, all }, null, 2));
