/** A runtime in miniature: starts an embedded broker on the data folder of its argument, prints its address and pid, and keeps running. */
import { startEmbeddedBroker } from "../../src/broker/embedded-broker.ts";

const [dataDir = "", confPath = ""] = process.argv.slice(2);
const { port, pid } = await startEmbeddedBroker({ dataDir, confPath, port: 0 });
process.stdout.write(`${JSON.stringify({ port, pid })}\n`);
