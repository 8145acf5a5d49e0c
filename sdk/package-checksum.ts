import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { sha256Hex } from '../src/protocol/digest.ts'
import { canonicalJson } from '../src/protocol/jcs.ts'

/** Holds the checksum, so that its 64 digits cannot be of it. */
export const OWN_CHECKSUM = 'shim/self-checksum.js'
/** What stands there while it is computed. */
export const NO_CHECKSUM = '0'.repeat(64)
/** The same, for whoever registers the release. */
export const RELEASE_FILE = 'shim-release.json'

/**
 * What a shim sends as `X-Shim-Checksum` (protocol.md section 6): hex SHA-256 over the JCS of {path: hex SHA-256 of the
 * file} of every file of the package, paths with `/`: of the module that holds the checksum with zeros in its place, and
 * without the file that tells whoever registers the release, which no program reads.
 */
export async function packageChecksum(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(join(directory, sep).length))
  const hashes = paths
    .map(path => path.replaceAll(sep, '/'))
    .filter(path => path !== RELEASE_FILE)
    .map(async path => [path, sha256Hex(await readCovered(directory, path))] as const)
  return sha256Hex(canonicalJson(Object.fromEntries(await Promise.all(hashes))))
}

async function readCovered(directory: string, path: string): Promise<string | Uint8Array> {
  const bytes = await readFile(join(directory, path))
  return path === OWN_CHECKSUM ? bytes.toString().replace(/'[0-9a-f]{64}'/, `'${NO_CHECKSUM}'`) : bytes
}
