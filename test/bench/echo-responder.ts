/** The process that (a) asks: a subscription that answers each request with its own body, and nothing else. */
import { openConnection } from "../../src/wire/connection.ts";
import { echoSubject } from "./echo.ts";

const nats = await openConnection({ servers: process.argv[2] as string, name: "retrace bench echo" });
nats.subscribe(echoSubject, { callback: (_error, message) => void message.respond(message.data) });
await nats.flush();
process.stdout.write("ready\n");
