import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { sha256Hex } from '../src/protocol/digest.ts'
import { canonicalJson } from '../src/protocol/jcs.ts'

/** Holds the checksum, so that it cannot be of it. */
export const OWN_CHECKSUM = 'shim/self-checksum.js'
/** The same, for whoever registers the release. */
export const RELEASE_FILE = 'shim-release.json'

/**
 * What a shim sends as `X-Shim-Checksum` (protocol.md section 6): hex SHA-256 over the JCS of {path: hex SHA-256 of the
 * file} of every file of the package, paths with `/`, but for the two that hold the checksum itself.
 */
export async function packageChecksum(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(join(directory, sep).length))
  const hashes = paths
    .map(path => path.replaceAll(sep, '/'))
    .filter(path => path !== OWN_CHECKSUM && path !== RELEASE_FILE)
    .map(async path => [path, sha256Hex(await readFile(join(directory, path)))] as const)
  return sha256Hex(canonicalJson(Object.fromEntries(await Promise.all(hashes))))
}
