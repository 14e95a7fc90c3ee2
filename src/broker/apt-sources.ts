/**
 * Reads apt's source files, one-line (`*.list`) and deb822 (`*.sources`), to learn which mirror of the Debian archive this machine uses.
 * Pure: the caller reads the files.
 */

/** The text of one apt source file; `name` decides the format. */
export interface AptSourceFile {
  readonly name: string;
  readonly text: string;
}

interface AptSource {
  readonly types: readonly string[];
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string;
  readonly isEnabled: boolean;
}

const debianSuite =
  /^(bullseye|bookworm|trixie|forky|duke|sid|(old)*stable|testing|unstable)(-updates|-backports|-proposed-updates)?$/;

/** The URIs of Debian archive mirrors in these files, in their order and each once; security mirrors and other archives left out. */
export function parseDebianMirrors(files: readonly AptSourceFile[]): string[] {
  const sources = files.flatMap((file) =>
    file.name.endsWith(".sources") ? readDeb822(file.text) : readList(file.text),
  );
  return [...new Set(sources.filter(isDebianArchive).flatMap((source) => source.uris.filter(isArchiveUri(source))))];
}

function isDebianArchive(source: AptSource): boolean {
  return (
    source.isEnabled &&
    source.types.includes("deb") &&
    source.components.includes("main") &&
    source.suites.some((suite) => debianSuite.test(suite))
  );
}

/** Third parties name Debian's suites too: Debian's key tells them apart, and without a key the name in the URI. */
function isArchiveUri(source: AptSource): (uri: string) => boolean {
  const isSignedByDebian = /(^|\/)debian-archive-[^/]*$/.test(source.signedBy);
  const isUnsigned = source.signedBy === "";
  return (uri) =>
    !uri.startsWith("cdrom:") &&
    !uri.includes("debian-security") &&
    (isSignedByDebian || (isUnsigned && uri.includes("debian")));
}

function readList(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) return [];
    const [, type = "", options = "", uri = "", suite = "", components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1] ?? "";
    return [{ types: [type], uris: [uri], suites: [suite], components: words(components), signedBy, isEnabled: true }];
  });
}

function readDeb822(text: string): AptSource[] {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n[ \t]*\n/)
    .map(readStanza);
}

function readStanza(stanza: string): AptSource {
  const unfolded = stanza.replace(/\r?\n[ \t]+/g, " ");
  const fields = new Map(
    unfolded.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const list = (name: string) => words(fields.get(name) ?? "");
  return {
    types: list("types"),
    uris: list("uris"),
    suites: list("suites"),
    components: list("components"),
    signedBy: fields.get("signed-by") ?? "",
    isEnabled: !/^(no|false|off|0|without|disable)$/i.test(fields.get("enabled") ?? "yes"),
  };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
