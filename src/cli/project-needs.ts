/** What a user's project lacks before actors written in TypeScript run, pass their tests and type-check in it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const runtimePackages = ["retrace", "xstate", "zod"];
const developmentPackages = ["typescript", "@types/node", "vitest"];
/** As npm is asked for it, where that is more than the name: vitest 5 does not run on Node 20. */
const asked: Readonly<Record<string, string>> = { vitest: "vitest@4" };

/** The commands that bring what is missing, in order; none when nothing is. `folder` is absolute. */
export function projectNeeds(folder: string): string[] {
  const manifest = findUp(folder, "package.json");
  const isMissing = (name: string) => findUp(folder, join("node_modules", name, "package.json")) === undefined;
  const packages = runtimePackages.filter(isMissing);
  const tools = developmentPackages.filter(isMissing).map((name) => asked[name] ?? name);
  return [
    ...(manifest === undefined ? ["npm init -y"] : []),
    ...(manifest === undefined || !isModule(manifest) ? ["npm pkg set type=module"] : []),
    ...(packages.length > 0 ? [`npm install ${packages.join(" ")}`] : []),
    ...(tools.length > 0 ? [`npm install --save-dev ${tools.join(" ")}`] : []),
    ...(findUp(folder, "tsconfig.json") === undefined
      ? ["npx tsc --init --module nodenext --types node --noEmit --allowImportingTsExtensions"]
      : []),
  ];
}

/** The nearest file of this name, from the folder upwards: as Node and the compiler look for it. */
function findUp(folder: string, path: string): string | undefined {
  const file = join(folder, path);
  if (existsSync(file)) return file;
  const above = dirname(folder);
  return above === folder ? undefined : findUp(above, path);
}

function isModule(manifest: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifest, "utf8")) as { type?: unknown }).type === "module";
  } catch {
    return false;
  }
}
