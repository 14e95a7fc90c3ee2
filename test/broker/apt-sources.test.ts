import { expect, test } from "vitest";
import { parseDebianMirrors } from "../../src/broker/apt-sources.ts";

const list = (...lines: string[]) => ({ name: "sources.list", text: lines.join("\n") });
const sources = (...lines: string[]) => ({ name: "sources.list.d/debian.sources", text: lines.join("\n") });

test("reads a one-line source, with and without options in brackets", () => {
  const mirrors = parseDebianMirrors([
    list(
      "deb http://mirror.example/debian bookworm main contrib # the office mirror",
      "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://second.example/archive trixie main",
      "deb [ trusted=no ] http://third.example/debian/ trixie-updates main",
    ),
  ]);
  expect(mirrors).toEqual([
    "http://mirror.example/debian",
    "http://second.example/archive",
    "http://third.example/debian/",
  ]);
});

test("reads deb822 sources with comments, several URIs and folded fields", () => {
  const mirrors = parseDebianMirrors([
    sources(
      "# the office mirror",
      "Types: deb deb-src",
      "# URIs: http://old.example/debian",
      "URIs: http://mirror.example/debian",
      "# a comment inside of a folded field",
      " http://second.example/debian",
      "Suites: trixie trixie-updates",
      "Components: main",
      "Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp",
    ),
  ]);
  expect(mirrors).toEqual(["http://mirror.example/debian", "http://second.example/debian"]);
});

test("reads field names in any case, Windows line ends and a mirror list file", () => {
  const text = ["types: deb", "uris: mirror+file:///etc/apt/mirrors/debian.list", "suites: trixie", "components: main"];
  expect(parseDebianMirrors([sources(text.join("\r\n"))])).toEqual(["mirror+file:///etc/apt/mirrors/debian.list"]);
});

test("names each mirror once", () => {
  const line = "deb http://mirror.example/debian bookworm main";
  expect(parseDebianMirrors([list(line, line.replace("bookworm", "bookworm-updates"))])).toEqual([
    "http://mirror.example/debian",
  ]);
});

test("skips lines that are commented out, source packages and CD-ROMs", () => {
  const mirrors = parseDebianMirrors([
    list(
      "#deb http://off.example/debian bookworm main",
      "# deb http://off.example/debian bookworm main",
      "deb-src http://source.example/debian bookworm main",
      "deb cdrom:[Debian-12]/ bookworm main",
      "",
    ),
  ]);
  expect(mirrors).toEqual([]);
});

test("skips security mirrors", () => {
  const mirrors = parseDebianMirrors([
    list(
      "deb http://mirror.example/debian-security bookworm-security main",
      "deb http://security.example/debian bookworm/updates main",
    ),
    sources("Types: deb", "URIs: http://mirror.example/debian-security", "Suites: trixie-security", "Components: main"),
  ]);
  expect(mirrors).toEqual([]);
});

test("skips stanzas that are switched off", () => {
  const stanza = ["Types: deb", "URIs: http://mirror.example/debian", "Suites: trixie", "Components: main"];
  expect(parseDebianMirrors([sources("Enabled: no", ...stanza)])).toEqual([]);
  expect(parseDebianMirrors([sources("Enabled: yes", ...stanza)])).toEqual(["http://mirror.example/debian"]);
});

test("skips third parties, also those that name Debian's suites", () => {
  const mirrors = parseDebianMirrors([
    list(
      "deb https://tools.example bookworm main",
      "deb [signed-by=/etc/apt/keyrings/tools.gpg] https://tools.example/debian bookworm main",
      "deb https://containers.example/linux/debian bookworm stable",
      "deb http://database.example/debian bookworm-pgdg main",
    ),
    sources("Types: deb", "URIs: https://node.example/debian", "Suites: nodistro", "Components: main"),
    sources(
      "Types: deb",
      "URIs: https://inline.example/debian",
      "Suites: trixie",
      "Components: main",
      "Signed-By:",
      " -----BEGIN PGP PUBLIC KEY BLOCK-----",
      " .",
      " mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS",
      " -----END PGP PUBLIC KEY BLOCK-----",
    ),
  ]);
  expect(mirrors).toEqual([]);
});
