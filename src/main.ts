#!/usr/bin/env node
/** The process entry: the command line of Retrace. */
import { runCli } from "./cli/cli.ts";

await runCli(process.argv);
