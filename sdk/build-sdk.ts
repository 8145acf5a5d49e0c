import { execFile } from 'node:child_process'
import { copyFile, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { foreignImports } from './foreign-imports.ts'
import { NO_CHECKSUM, OWN_CHECKSUM, packageChecksum, RELEASE_FILE } from './package-checksum.ts'
import { readRootManifest, sdkManifest } from './sdk-manifest.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
/** In declarations the compiler leaves the names of the sources. */
const SOURCE_NAME = /((?:from |import\()['"]\.{1,2}\/[^'"]+)\.ts(?=['"])/g

/** What `remit shim-release add` is told of a build. */
export type ShimRelease = { readonly version: string; readonly checksum: string }

/**
 * Builds the package that agents and APIs install: protocol, shim and verifier as plain JavaScript with declarations,
 * and the golden vectors. What is in `target` is deleted. The same sources give the same bytes.
 */
export async function buildSdk(target: string): Promise<ShimRelease> {
  await rm(target, { recursive: true, force: true })
  await compile(target)
  const root = await readRootManifest(join(ROOT, 'package.json'))
  await writeFile(join(target, 'package.json'), jsonText(sdkManifest(root, await foreignImports(target))))
  await copyFile(join(ROOT, 'LICENSE'), join(target, 'LICENSE'))
  await copyFile(join(ROOT, 'sdk/README.md'), join(target, 'README.md'))
  await cp(join(ROOT, 'test/vectors'), join(target, 'vectors'), { recursive: true })
  await copyFile(join(ROOT, 'sdk/vectors.md'), join(target, 'vectors/README.md'))
  const own = (checksum: string) =>
    rewrite(join(target, OWN_CHECKSUM), () => `export const SHIM_CHECKSUM = '${checksum}';\n`)
  await own(NO_CHECKSUM)
  const checksum = await packageChecksum(target)
  await own(checksum)
  const release = { version: root.version, checksum }
  await writeFile(join(target, RELEASE_FILE), jsonText(release))
  return release
}

async function compile(target: string): Promise<void> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.sdk.json'), '--outDir', target])
  const files = await readdir(target, { recursive: true, encoding: 'utf8' })
  const declarations = files.filter(name => name.endsWith('.d.ts')).map(name => join(target, name))
  await Promise.all(declarations.map(path => rewrite(path, text => text.replace(SOURCE_NAME, '$1.js'))))
}

async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(path, change(await readFile(path, 'utf8')))
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
