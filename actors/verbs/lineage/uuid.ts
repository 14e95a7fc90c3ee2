/** UUIDs that are made of names: the same name always gives the same one. */
import { createHash } from "node:crypto";

/** Of RFC 9562: the namespaces of names that are URLs (URNs among them), and of domain names. */
export const namespaces = {
  url: "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
  dns: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
} as const;

/** A UUID of version 5, RFC 9562, section 5.5. */
export function uuidOf(namespace: string, name: string): string {
  const bytes = createHash("sha1")
    .update(Buffer.from(namespace.replaceAll("-", ""), "hex"))
    .update(name)
    .digest();
  bytes[6] = (bytes.readUInt8(6) & 0x0f) | 0x50;
  bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80;
  const hex = bytes.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
